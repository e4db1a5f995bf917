"""ImageScale and its kin: resize a batch, optionally cropped to the new proportions first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from comfy_images.engine.core.node import CoreNode, Inputs, combo, whole
from comfy_images.engine.core.resample import METHODS, resample

if TYPE_CHECKING:
    from comfy_images.engine.core.pixels import Pixels

LONGEST_PX = 16384
CROPS = ["disabled", "center"]
_PIXELS_PER_MEGAPIXEL = 1024 * 1024


class ImageScale(CoreNode):
    """A width or height of 0 follows from the other side."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image/upscaling"
    required: ClassVar[Inputs] = {
        "image": ("IMAGE",),
        "upscale_method": (list(METHODS),),
        "width": whole(512, 0, LONGEST_PX),
        "height": whole(512, 0, LONGEST_PX),
        "crop": (CROPS,),
    }

    def run(
        self, image: Pixels, upscale_method: str, width: int, height: int, crop: str
    ) -> tuple[Pixels]:
        if width == 0 and height == 0:
            return (image,)
        old_height, old_width = image.shape[1:3]
        width = width or max(1, round(old_width * height / old_height))
        height = height or max(1, round(old_height * width / old_width))
        return (scaled(image, upscale_method, width, height, crop),)


class ImageScaleBy(CoreNode):
    """By one factor for both sides."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image/upscaling"
    required: ClassVar[Inputs] = {
        "image": ("IMAGE",),
        "upscale_method": (list(METHODS),),
        "scale_by": ("FLOAT", {"default": 1.0, "min": 0.01, "max": 8.0, "step": 0.01}),
    }

    def run(self, image: Pixels, upscale_method: str, scale_by: float) -> tuple[Pixels]:
        height, width = image.shape[1:3]
        return (resample(image, upscale_method, round(width * scale_by), round(height * scale_by)),)


class ImageScaleToTotalPixels(CoreNode):
    """To about so many pixels, each side a multiple of `resolution_steps`."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image/upscaling"
    required: ClassVar[Inputs] = {
        "image": ("IMAGE", {}),
        "upscale_method": combo(list(METHODS)),
        "megapixels": ("FLOAT", {"default": 1.0, "min": 0.01, "max": 16.0, "step": 0.01}),
        "resolution_steps": ("INT", {"default": 1, "min": 1, "max": 256}),
    }

    def run(
        self, image: Pixels, upscale_method: str, megapixels: float, resolution_steps: int
    ) -> tuple[Pixels]:
        height, width = image.shape[1:3]
        width, height = of_total_pixels(width, height, megapixels, resolution_steps)
        return (resample(image, upscale_method, width, height),)


class ImageScaleToMaxDimension(CoreNode):
    """The longer side as given."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image/upscaling"
    required: ClassVar[Inputs] = {
        "image": ("IMAGE", {}),
        # Listed twice by ComfyUI as well.
        "upscale_method": combo(
            ["area", "lanczos", "bilinear", "nearest-exact", "bilinear", "bicubic"]
        ),
        "largest_size": whole(512, 0, LONGEST_PX),
    }

    def run(self, image: Pixels, upscale_method: str, largest_size: int) -> tuple[Pixels]:
        height, width = image.shape[1:3]
        if height > width:
            size = (round(width / height * largest_size), largest_size)
        else:
            size = (largest_size, round(height / width * largest_size))
        return (resample(image, upscale_method, *size),)


def of_total_pixels(width: int, height: int, megapixels: float, steps: int = 1) -> tuple[int, int]:
    """The size of the same proportions that has so many pixels."""
    factor = math.sqrt(megapixels * _PIXELS_PER_MEGAPIXEL / (width * height))
    return round(width * factor / steps) * steps, round(height * factor / steps) * steps


def scaled(image: Pixels, method: str, width: int, height: int, crop: str) -> Pixels:
    """The batch at a new size; `crop` is one of CROPS."""
    if crop == "center":
        image = _cropped(image, width / height)
    return resample(image, method, width, height)


def _cropped(image: Pixels, proportion: float) -> Pixels:
    """The largest middle part with width / height = `proportion`."""
    height, width = image.shape[1:3]
    x = y = 0
    if width / height > proportion:
        x = round((width - width * (proportion / (width / height))) / 2)
    else:
        y = round((height - height * ((width / height) / proportion)) / 2)
    return image[:, y : height - y, x : width - x]
