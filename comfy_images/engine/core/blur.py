"""ImageBlur and ImageSharpen: a Gaussian and its opposite."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from comfy_images.engine.core.node import CoreNode, Inputs, whole
from comfy_images.engine.core.pixels import clipped

if TYPE_CHECKING:
    from comfy_images.engine.core.pixels import Pixels

Floats = NDArray[np.float64]

_SHARPEN_GAIN = 10


class ImageBlur(CoreNode):
    """A Gaussian of 2 * radius + 1 pixels; `sigma` is in units of the radius, as captured."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image/postprocessing"
    required: ClassVar[Inputs] = {
        "image": ("IMAGE", {}),
        "blur_radius": whole(1, 1, 31),
        "sigma": ("FLOAT", {"default": 1.0, "min": 0.1, "max": 10.0, "step": 0.1}),
    }

    def run(self, image: Pixels, blur_radius: int, sigma: float) -> tuple[Pixels]:
        return (blurred(image, blur_radius, sigma),)


class ImageSharpen(CoreNode):
    """Adds `alpha` times ten of what a blur takes away."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image/postprocessing"
    required: ClassVar[Inputs] = {
        "image": ("IMAGE", {}),
        "sharpen_radius": whole(1, 1, 31),
        "sigma": ("FLOAT", {"default": 1.0, "min": 0.1, "max": 10.0, "step": 0.01}),
        "alpha": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 5.0, "step": 0.01}),
    }

    def run(self, image: Pixels, sharpen_radius: int, sigma: float, alpha: float) -> tuple[Pixels]:
        detail = image - blurred(image, sharpen_radius, sigma)
        return (clipped(image + np.float32(alpha * _SHARPEN_GAIN) * detail),)


def blurred(image: Pixels, radius: int, sigma: float) -> Pixels:
    """Convolved with a normalised Gaussian in both directions; the border mirrors the inside.

    In float64, so that an even area keeps its value to the last bit: files cut fractions off.
    """
    offsets = np.linspace(-1, 1, 2 * radius + 1)
    weights = np.exp(-(offsets**2) / (2 * sigma**2))
    weights = weights / weights.sum()
    values = image.astype(np.float64)
    for axis in (1, 2):
        values = _convolved(values, weights, radius, axis)
    return values.astype(np.float32)


def _convolved(values: Floats, weights: Floats, radius: int, axis: int) -> Floats:
    length = values.shape[axis]
    border = [(radius, radius) if i == axis else (0, 0) for i in range(4)]
    padded = np.pad(values, border, mode="reflect")
    total = np.zeros_like(values)
    for offset, weight in enumerate(weights):
        window = [slice(offset, offset + length) if i == axis else slice(None) for i in range(4)]
        total += weight * padded[tuple(window)]
    return total
