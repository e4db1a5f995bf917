"""ImageBlend: mixes two pictures by one of six formulas."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from comfy_images.engine.core.node import CoreNode, Inputs, combo
from comfy_images.engine.core.pixels import Pixels, clipped
from comfy_images.engine.core.resample import resample


def _screen(below: Pixels, above: Pixels) -> Pixels:
    return 1 - (1 - below) * (1 - above)


def _overlay(below: Pixels, above: Pixels) -> Pixels:
    dark = 2 * below * above
    light = 1 - 2 * (1 - below) * (1 - above)
    return np.where(below <= 0.5, dark, light)


def _soft_light(below: Pixels, above: Pixels) -> Pixels:
    """The formula of the W3C compositing standard."""
    low = ((16 * below - 12) * below + 4) * below
    curve = np.where(below <= 0.25, low, np.sqrt(below))
    dark = below - (1 - 2 * above) * below * (1 - below)
    light = below + (2 * above - 1) * (curve - below)
    return np.where(above <= 0.5, dark, light)


_MODES: dict[str, Callable[[Pixels, Pixels], Pixels]] = {
    "normal": lambda _below, above: above,
    "multiply": lambda below, above: below * above,
    "screen": _screen,
    "overlay": _overlay,
    "soft_light": _soft_light,
    "difference": lambda below, above: below - above,
}


class ImageBlend(CoreNode):
    """`blend_factor` is the share of the formula's result; the rest is image1."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image/postprocessing"
    required: ClassVar[Inputs] = {
        "image1": ("IMAGE", {}),
        "image2": ("IMAGE", {}),
        "blend_factor": ("FLOAT", {"default": 0.5, "min": 0.0, "max": 1.0, "step": 0.01}),
        "blend_mode": combo(list(_MODES)),
    }

    def run(
        self, image1: Pixels, image2: Pixels, blend_factor: float, blend_mode: str
    ) -> tuple[Pixels]:
        if image1.shape[1:3] != image2.shape[1:3]:
            height, width = image1.shape[1:3]
            image2 = resample(image2, "bicubic", width, height)
        mixed = _MODES[blend_mode](image1, image2)
        share = np.float32(blend_factor)
        return (clipped(image1 * (1 - share) + mixed * share),)
