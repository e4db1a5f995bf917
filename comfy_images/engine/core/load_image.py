"""LoadImage and LoadImageMask: a file of the input folder as image and mask."""

from __future__ import annotations

import hashlib
import mimetypes
import os
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image, ImageOps, ImageSequence

from comfy_images.engine.core.pixels import from_pil
from comfy_images.engine.folders import ForbiddenPathError

if TYPE_CHECKING:
    from pathlib import Path

    from comfy_images.engine.core.pixels import Pixels
    from comfy_images.engine.folders import Folders

_CHANNELS = ["alpha", "red", "green", "blue"]
_EMPTY_MASK_PX = 64  # the mask of a picture without alpha


class _InputFile:
    """A node whose `image` is a file of the input folder."""

    folders: ClassVar[Folders]

    @classmethod
    def VALIDATE_INPUTS(cls, image: str | None) -> bool | str:  # noqa: N802 - ComfyUI's name
        """Accepts files that the choices do not list: those in subfolders and other folders."""
        if image is None:
            return True
        try:
            exists = cls.folders.annotated(image).exists()
        except ForbiddenPathError:
            exists = False
        return exists or f"Invalid image file: {image}"

    @classmethod
    def IS_CHANGED(cls, image: str, **_inputs: Any) -> str:  # noqa: N802 - ComfyUI's name
        """The content counts, not the name: an overwritten file runs again."""
        with cls.folders.annotated(image).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class LoadImage(_InputFile):
    """Every frame of the size of the first becomes one picture of the batch."""

    RETURN_TYPES = ("IMAGE", "MASK")
    FUNCTION = "load"
    CATEGORY = "image"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        names = [name for name in _file_names(cls.folders.input) if _is_image(name)]
        return {"required": {"image": (names, {"image_upload": True})}}

    def load(self, image: str) -> tuple[Pixels, Pixels]:
        pictures: list[Pixels] = []
        masks: list[Pixels] = []
        with Image.open(self.folders.annotated(image)) as file:
            for frame in ImageSequence.Iterator(file):
                upright = ImageOps.exif_transpose(frame)
                picture = from_pil(_to_rgb(upright))
                if pictures and picture.shape != pictures[0].shape:
                    continue
                pictures.append(picture)
                masks.append(_mask(upright))
        return np.stack(pictures), np.stack(masks)


class LoadImageMask(_InputFile):
    """One channel of the first frame; of alpha the transparent part. Lists files of every kind."""

    RETURN_TYPES = ("MASK",)
    FUNCTION = "load"
    CATEGORY = "mask"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        names = _file_names(cls.folders.input)
        return {"required": {"image": (names, {"image_upload": True}), "channel": (_CHANNELS,)}}

    def load(self, image: str, channel: str) -> tuple[Pixels]:
        with Image.open(self.folders.annotated(image)) as file:
            frame = ImageOps.exif_transpose(file)
            if channel == "alpha":
                return (1 - from_pil(frame.convert("RGBA").getchannel("A"))[None],)
            return (from_pil(_to_rgb(frame).getchannel(channel[0].upper()))[None],)


def _file_names(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_file())


def _is_image(name: str) -> bool:
    return (mimetypes.guess_type(name)[0] or "").startswith("image/")


def _to_rgb(frame: Image.Image) -> Image.Image:
    """Eight bits a channel; 16-bit grey keeps its high bits."""
    if frame.mode.startswith("I"):
        frame = Image.fromarray((np.asarray(frame) >> 8).astype(np.uint8))
    return frame.convert("RGB")


def _mask(frame: Image.Image) -> Pixels:
    """1 where the picture is transparent."""
    if "A" in frame.getbands():
        return 1 - from_pil(frame.getchannel("A"))
    if frame.mode == "P" and "transparency" in frame.info:
        return 1 - from_pil(frame.convert("RGBA").getchannel("A"))
    return np.zeros((_EMPTY_MASK_PX, _EMPTY_MASK_PX), dtype=np.float32)
