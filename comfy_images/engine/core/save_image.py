"""SaveImage and PreviewImage: PNG files in the output and the temp folder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from PIL.PngImagePlugin import PngInfo

from comfy_images.engine.core.file_names import file_names
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


class SaveImage:
    """Saves to the output folder, with the workflow inside each file unless that is disabled."""

    folders: ClassVar[Folders]
    write_metadata: ClassVar[bool]

    RETURN_TYPES = ()
    FUNCTION = "save"
    OUTPUT_NODE = True
    CATEGORY = "image"
    DESCRIPTION = "Saves the input images to your ComfyUI output directory."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {
            "required": {
                "images": ("IMAGE", {"tooltip": "The images to save."}),
                "filename_prefix": ("STRING", {"default": "ComfyUI", "tooltip": _PREFIX_TOOLTIP}),
            },
            "hidden": dict(_HIDDEN),
        }

    def save(
        self,
        images: Pixels,
        filename_prefix: str,
        prompt: Any = None,
        extra_pnginfo: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        metadata = _metadata(prompt, extra_pnginfo) if self.write_metadata else None
        return _save_pngs(self.folders.output, "output", images, filename_prefix, metadata, 4)


class PreviewImage:
    """Saves to the temp folder, quickly."""

    folders: ClassVar[Folders]
    write_metadata: ClassVar[bool]
    suffix: ClassVar[str]

    RETURN_TYPES = ()
    FUNCTION = "save"
    OUTPUT_NODE = True
    CATEGORY = "image"
    DESCRIPTION = "Saves the input images to your ComfyUI output directory."

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {"required": {"images": ("IMAGE",)}, "hidden": dict(_HIDDEN)}

    def save(
        self, images: Pixels, prompt: Any = None, extra_pnginfo: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        metadata = _metadata(prompt, extra_pnginfo) if self.write_metadata else None
        prefix = f"ComfyUI_temp_{self.suffix}"
        return _save_pngs(self.folders.temp, "temp", images, prefix, metadata, 1)


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
) -> dict[str, Any]:
    names = file_names(root, prefix, width=images.shape[2], height=images.shape[1])
    saved: list[dict[str, str]] = []
    for index, image in enumerate(images):
        name = names.name(index, "png")
        to_pil(image).save(names.folder / name, pnginfo=metadata, compress_level=compress_level)
        saved.append({"filename": name, "subfolder": names.subfolder, "type": kind})
    return {"ui": {"images": saved}}
