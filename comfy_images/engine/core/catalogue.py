"""Which core nodes there are, and under which names and modules ComfyUI lists them."""

from __future__ import annotations

import random
import string
from typing import TYPE_CHECKING, Any

from comfy_images.engine.core.add_noise import ImageAddNoise
from comfy_images.engine.core.blend import ImageBlend
from comfy_images.engine.core.blur import ImageBlur, ImageSharpen
from comfy_images.engine.core.create import EmptyImage, ImageInvert
from comfy_images.engine.core.load_image import LoadImage
from comfy_images.engine.core.save_image import PreviewImage, SaveImage
from comfy_images.engine.core.scale import ImageScale
from comfy_images.engine.node_type import NodeType

if TYPE_CHECKING:
    from comfy_images.engine.folders import Folders

_FILTERS = "comfy_extras.nodes_post_processing"
_IMAGES = "comfy_extras.nodes_images"


def core_types(folders: Folders, *, write_metadata: bool) -> dict[str, NodeType]:
    """The core nodes, those that touch files bound to `folders`."""
    # Unguessable, so that previews of two processes on one temp folder do not collide.
    preview_suffix = "".join(random.choices(string.ascii_lowercase, k=5))  # noqa: S311 - no secret
    load = _bound(LoadImage, folders=folders)
    save = _bound(SaveImage, folders=folders, write_metadata=write_metadata)
    preview = _bound(
        PreviewImage, folders=folders, write_metadata=write_metadata, suffix=preview_suffix
    )
    types = [
        NodeType("LoadImage", load, "Load Image", "nodes"),
        NodeType("ImageScale", ImageScale, "Upscale Image", "nodes"),
        NodeType("ImageInvert", ImageInvert, "Invert Image", "nodes"),
        NodeType("EmptyImage", EmptyImage, "EmptyImage", "nodes"),
        NodeType("SaveImage", save, "Save Image", "nodes"),
        NodeType("PreviewImage", preview, "Preview Image", "nodes"),
        NodeType("ImageSharpen", ImageSharpen, None, _FILTERS, version=3),
        NodeType("ImageBlur", ImageBlur, None, _FILTERS, version=3),
        NodeType("ImageBlend", ImageBlend, None, _FILTERS, version=3),
        NodeType("ImageAddNoise", ImageAddNoise, None, _IMAGES, version=3),
    ]
    return {node_type.name: node_type for node_type in types}


def _bound(node_class: type[Any], **given: Any) -> type[Any]:
    """A subclass that holds its collaborators: ComfyUI makes nodes without arguments."""
    return type(node_class.__name__, (node_class,), given)
