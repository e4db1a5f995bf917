"""SaveAnimatedPNG and SaveAnimatedWEBP: a batch as one moving picture."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

from PIL.PngImagePlugin import PngInfo

from comfy_images.engine.core.file_names import file_names
from comfy_images.engine.core.node import METADATA, CoreNode, Inputs, combo
from comfy_images.engine.core.pixels import to_pil

if TYPE_CHECKING:
    from pathlib import Path

    from comfy_images.engine.core.pixels import Pixels
    from comfy_images.engine.folders import Folders

_MODEL_TAG = 0x0110  # the EXIF tag that holds the prompt; the workflow goes below it
_METHODS = {"default": 4, "fastest": 0, "slowest": 6}
_SHARED: Inputs = {
    "images": ("IMAGE", {}),
    "filename_prefix": ("STRING", {"default": "ComfyUI", "multiline": False}),
    "fps": ("FLOAT", {"default": 6.0, "min": 0.01, "max": 1000.0, "step": 0.01}),
}


class _SaveAnimated(CoreNode):
    folders: ClassVar[Folders]
    write_metadata: ClassVar[bool]

    OUTPUT_NODE = True
    CATEGORY = "image/animation"
    hidden: ClassVar[Inputs] = METADATA

    def _texts(self, prompt: Any, extra_pnginfo: dict[str, Any] | None) -> dict[str, str]:
        """What the file says about its making: by key, as JSON."""
        if not self.write_metadata:
            return {}
        known = {} if prompt is None else {"prompt": prompt}
        return {key: json.dumps(value) for key, value in (known | (extra_pnginfo or {})).items()}

    def _named(self, images: Pixels, prefix: str, extension: str) -> tuple[Path, dict[str, Any]]:
        """The new file, and how the node shows it."""
        names = file_names(
            self.folders.output, prefix, width=images.shape[2], height=images.shape[1]
        )
        name = names.name(0, extension)
        shown = {"filename": name, "subfolder": names.subfolder, "type": "output"}
        return names.folder / name, {"ui": {"images": [shown], "animated": [True]}}


class SaveAnimatedPNG(_SaveAnimated):
    """Plays forever. The texts are in `comf` chunks after the pixels: `key`, NUL, JSON."""

    required: ClassVar[Inputs] = {
        **_SHARED,
        "compress_level": ("INT", {"default": 4, "min": 0, "max": 9}),
    }

    def run(
        self,
        images: Pixels,
        filename_prefix: str,
        fps: float,
        compress_level: int,
        prompt: Any = None,
        extra_pnginfo: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        path, shown = self._named(images, filename_prefix, "png")
        metadata = PngInfo()
        for key, text in self._texts(prompt, extra_pnginfo).items():
            content = f"{key}\0{text}".encode("latin-1")
            metadata.add(b"comf", content, after_idat=True)
        frames = [to_pil(image) for image in images]
        frames[0].save(
            path,
            pnginfo=metadata,
            compress_level=compress_level,
            save_all=True,
            duration=int(1000.0 / fps),
            append_images=frames[1:],
        )
        return shown


class SaveAnimatedWEBP(_SaveAnimated):
    """Plays forever. The texts are EXIF: the prompt as the camera's model, others in tags below."""

    required: ClassVar[Inputs] = {
        **_SHARED,
        "lossless": ("BOOLEAN", {"default": True}),
        "quality": ("INT", {"default": 80, "min": 0, "max": 100}),
        "method": combo(list(_METHODS)),
    }

    def run(
        self,
        images: Pixels,
        filename_prefix: str,
        fps: float,
        *,
        lossless: bool,
        quality: int,
        method: str,
        prompt: Any = None,
        extra_pnginfo: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        path, shown = self._named(images, filename_prefix, "webp")
        frames = [to_pil(image) for image in images]
        exif = frames[0].getexif()
        for below, (key, text) in enumerate(self._texts(prompt, extra_pnginfo).items()):
            exif[_MODEL_TAG - below] = f"{key}:{text}"
        frames[0].save(
            path,
            save_all=True,
            duration=int(1000.0 / fps),
            append_images=frames[1:],
            exif=exif,
            lossless=lossless,
            quality=quality,
            method=_METHODS[method],
        )
        return shown
