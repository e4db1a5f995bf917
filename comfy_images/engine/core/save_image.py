"""SaveImage and the previews: PNG files in the output and the temp folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from PIL.PngImagePlugin import PngInfo

from comfy_images.engine.core.file_names import file_names
from comfy_images.engine.core.mask import as_image
from comfy_images.engine.core.node import METADATA, CoreNode, Inputs
from comfy_images.engine.core.pixels import to_pil

if TYPE_CHECKING:
    from pathlib import Path

    from comfy_images.engine.core.pixels import Pixels
    from comfy_images.engine.folders import Folders

_PREFIX_TOOLTIP = (
    "The prefix for the file to save. This may include formatting information such as "
    "%date:yyyy-MM-dd% or %Empty Latent Image.width% to include values from nodes."
)
_HIDDEN = {"prompt": "PROMPT", "extra_pnginfo": "EXTRA_PNGINFO"}


class SaveImage(CoreNode):
    """Saves to the output folder, with the workflow inside each file unless that is disabled."""

    folders: ClassVar[Folders]
    write_metadata: ClassVar[bool]

    OUTPUT_NODE = True
    CATEGORY = "image"
    DESCRIPTION = "Saves the input images to your ComfyUI output directory."
    required: ClassVar[Inputs] = {
        "images": ("IMAGE", {"tooltip": "The images to save."}),
        "filename_prefix": ("STRING", {"default": "ComfyUI", "tooltip": _PREFIX_TOOLTIP}),
    }
    hidden: ClassVar[dict[str, Any]] = _HIDDEN

    def run(
        self,
        images: Pixels,
        filename_prefix: str,
        prompt: Any = None,
        extra_pnginfo: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        metadata = _metadata(prompt, extra_pnginfo) if self.write_metadata else None
        saved = _save_pngs(self.folders.output, "output", images, filename_prefix, metadata, 4)
        return {"ui": {"images": saved}}


class PreviewImage(CoreNode):
    """Saves to the temp folder, quickly."""

    folders: ClassVar[Folders]
    write_metadata: ClassVar[bool]
    suffix: ClassVar[str]

    OUTPUT_NODE = True
    CATEGORY = "image"
    DESCRIPTION = "Saves the input images to your ComfyUI output directory."
    required: ClassVar[Inputs] = {"images": ("IMAGE",)}
    hidden: ClassVar[dict[str, Any]] = _HIDDEN

    def run(
        self, images: Pixels, prompt: Any = None, extra_pnginfo: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        metadata = _metadata(prompt, extra_pnginfo) if self.write_metadata else None
        prefix = f"ComfyUI_temp_{self.suffix}"
        saved = _save_pngs(self.folders.temp, "temp", images, prefix, metadata, 1)
        return {"ui": {"images": saved}}


class MaskPreview(CoreNode):
    """A mask in the temp folder, in grey; unlike PreviewImage it writes no metadata, as captured."""

    folders: ClassVar[Folders]
    suffix: ClassVar[str]

    OUTPUT_NODE = True
    CATEGORY = "mask"
    DESCRIPTION = "Saves the input images to your ComfyUI output directory."
    required: ClassVar[Inputs] = {"mask": ("MASK", {})}
    hidden: ClassVar[Inputs] = METADATA

    def run(self, mask: Pixels, **_metadata: Any) -> dict[str, Any]:
        prefix = f"ComfyUI_temp_{self.suffix}"
        saved = _save_pngs(self.folders.temp, "temp", as_image(mask), prefix, None, 1)
        return {"ui": {"images": saved, "animated": [False]}}


def _metadata(prompt: Any, extra_pnginfo: dict[str, Any] | None) -> PngInfo:
    """The prompt and every key of extra_pnginfo, as JSON text chunks."""
    metadata = PngInfo()
    if prompt is not None:
        metadata.add_text("prompt", json.dumps(prompt))
    for key, value in (extra_pnginfo or {}).items():
        metadata.add_text(key, json.dumps(value))
    return metadata


def _save_pngs(
    root: Path,
    kind: str,
    images: Pixels,
    prefix: str,
    metadata: PngInfo | None,
    compress_level: int,
) -> list[dict[str, str]]:
    names = file_names(root, prefix, width=images.shape[2], height=images.shape[1])
    saved: list[dict[str, str]] = []
    for index, image in enumerate(images):
        name = names.name(index, "png")
        to_pil(image).save(names.folder / name, pnginfo=metadata, compress_level=compress_level)
        saved.append({"filename": name, "subfolder": names.subfolder, "type": kind})
    return saved
