"""Which core nodes there are, and under which names and modules ComfyUI lists them."""

from __future__ import annotations

import random
import string
from typing import TYPE_CHECKING, Any

from comfy_images.engine.core import batch, mask, text, turn, value
from comfy_images.engine.core.add_noise import ImageAddNoise
from comfy_images.engine.core.blend import ImageBlend
from comfy_images.engine.core.blur import ImageBlur, ImageSharpen
from comfy_images.engine.core.composite import (
    ImageCompositeMasked,
    JoinImageWithAlpha,
    SplitImageWithAlpha,
)
from comfy_images.engine.core.create import EmptyImage, ImageInvert
from comfy_images.engine.core.load_image import LoadImage, LoadImageMask
from comfy_images.engine.core.resize import ResizeImageMaskNode
from comfy_images.engine.core.save_animated import SaveAnimatedPNG, SaveAnimatedWEBP
from comfy_images.engine.core.save_image import MaskPreview, PreviewImage, SaveImage
from comfy_images.engine.core.scale import (
    ImageScale,
    ImageScaleBy,
    ImageScaleToMaxDimension,
    ImageScaleToTotalPixels,
)
from comfy_images.engine.node_type import NodeType

if TYPE_CHECKING:
    from comfy_images.engine.folders import Folders

# By ComfyUI's module and style of declaration: the classes with the names that are shown for them.
_OLDER: dict[str, dict[type[Any], str]] = {
    "nodes": {
        LoadImage: "Load Image",
        LoadImageMask: "Load Image (as Mask)",
        ImageScale: "Upscale Image",
        ImageScaleBy: "Upscale Image By",
        ImageInvert: "Invert Image",
        batch.ImageBatch: "Batch Images",
        EmptyImage: "EmptyImage",
        SaveImage: "Save Image",
        PreviewImage: "Preview Image",
    },
    "comfy_extras.nodes_preview_any": {text.PreviewAny: "Preview as Text"},
}
_NEWER: dict[str, dict[type[Any], str | None]] = {
    "comfy_extras.nodes_post_processing": {
        ImageSharpen: None,
        ImageBlur: None,
        ImageBlend: None,
        ImageScaleToTotalPixels: None,
        ResizeImageMaskNode: "Resize Image/Mask",
        batch.BatchImagesNode: "Batch Images",
        batch.BatchMasksNode: "Batch Masks",
    },
    "comfy_extras.nodes_images": {
        ImageAddNoise: None,
        turn.ImageFlip: None,
        turn.ImageRotate: None,
        turn.ImageCrop: "Image Crop",
        ImageScaleToMaxDimension: None,
        batch.RepeatImageBatch: None,
        batch.ImageFromBatch: None,
        batch.GetImageSize: "Get Image Size",
        SaveAnimatedPNG: None,
        SaveAnimatedWEBP: None,
    },
    "comfy_extras.nodes_mask": {
        mask.SolidMask: None,
        mask.InvertMask: None,
        mask.ThresholdMask: None,
        mask.CropMask: None,
        mask.GrowMask: "Grow Mask",
        mask.MaskToImage: "Convert Mask to Image",
        mask.ImageToMask: "Convert Image to Mask",
        mask.ImageColorToMask: None,
        mask.FeatherMask: None,
        mask.MaskComposite: None,
        ImageCompositeMasked: None,
        MaskPreview: "Preview Mask",
    },
    "comfy_extras.nodes_compositing": {
        SplitImageWithAlpha: "Split Image with Alpha",
        JoinImageWithAlpha: "Join Image with Alpha",
    },
    "comfy_extras.nodes_string": {
        text.StringConcatenate: "Concatenate",
        text.StringSubstring: "Substring",
        text.StringLength: "Length",
        text.CaseConverter: "Case Converter",
        text.StringTrim: "Trim",
        text.StringReplace: "Replace",
        text.StringContains: "Contains",
        text.StringCompare: "Compare",
    },
    "comfy_extras.nodes_primitive": {
        value.PrimitiveInt: "Int",
        value.PrimitiveFloat: "Float",
        value.PrimitiveString: "String",
        value.PrimitiveStringMultiline: "String (Multiline)",
        value.PrimitiveBoolean: "Boolean",
    },
    "comfy_extras.nodes_logic": {value.ComfySwitchNode: "Switch"},
}


def core_types(folders: Folders, *, write_metadata: bool) -> dict[str, NodeType]:
    """The core nodes, those that touch files bound to `folders`."""
    given = {
        "folders": folders,
        "write_metadata": write_metadata,
        # Unguessable, so that previews of two processes on one temp folder do not collide.
        "suffix": "".join(random.choices(string.ascii_lowercase, k=5)),  # noqa: S311 - no secret
    }
    return {
        node_class.__name__: NodeType(
            node_class.__name__, _bound(node_class, **given), display_name, module, version
        )
        for version, modules in ((1, _OLDER), (3, _NEWER))
        for module, classes in modules.items()
        for node_class, display_name in classes.items()
    }


def _bound(node_class: type[Any], **given: Any) -> type[Any]:
    """A subclass that holds its collaborators: ComfyUI makes nodes without arguments."""
    return type(node_class.__name__, (node_class,), given)
