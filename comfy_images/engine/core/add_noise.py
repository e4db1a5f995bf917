"""ImageAddNoise: seeded Gaussian noise. Repeatable, but not torch's noise for the same seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from comfy_images.engine.core.pixels import clipped

if TYPE_CHECKING:
    from comfy_images.engine.core.pixels import Pixels


class ImageAddNoise:
    """Adds `strength` times a standard normal value to every channel of every pixel."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "add"
    CATEGORY = "image"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        seed = {
            "tooltip": "The random seed used for creating the noise.",
            "default": 0,
            "min": 0,
            "max": 2**64 - 1,
            "control_after_generate": True,
        }
        return {
            "required": {
                "image": ("IMAGE", {}),
                "seed": ("INT", seed),
                "strength": ("FLOAT", {"default": 0.5, "min": 0.0, "max": 1.0, "step": 0.01}),
            }
        }

    def add(self, image: Pixels, seed: int, strength: float) -> tuple[Pixels]:
        noise = np.random.default_rng(seed).standard_normal(image.shape, dtype=np.float32)
        return (clipped(image + np.float32(strength) * noise),)
