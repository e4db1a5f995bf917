"""ImageAddNoise: seeded Gaussian noise, torch's own for the same seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from comfy_images.engine.core.node import CoreNode, Inputs
from comfy_images.engine.core.pixels import clipped
from comfy_images.engine.core.torch_random import randn

if TYPE_CHECKING:
    from comfy_images.engine.core.pixels import Pixels

_SEED: dict[str, Any] = {
    "tooltip": "The random seed used for creating the noise.",
    "default": 0,
    "min": 0,
    "max": 2**64 - 1,
    "control_after_generate": True,
}


class ImageAddNoise(CoreNode):
    """Adds `strength` times a standard normal value to every channel of every pixel."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image"
    required: ClassVar[Inputs] = {
        "image": ("IMAGE", {}),
        "seed": ("INT", _SEED),
        "strength": ("FLOAT", {"default": 0.5, "min": 0.0, "max": 1.0, "step": 0.01}),
    }

    def run(self, image: Pixels, seed: int, strength: float) -> tuple[Pixels]:
        return (clipped(image + np.float32(strength) * randn(seed, image.shape)),)
