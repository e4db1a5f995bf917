"""EmptyImage and ImageInvert."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from comfy_images.engine.core.pixels import Pixels


class EmptyImage:
    """A batch of pictures of one colour, 0xRRGGBB."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "create"
    CATEGORY = "image"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        side = {"default": 512, "min": 1, "max": 16384, "step": 1}
        color = {"default": 0, "min": 0, "max": 0xFFFFFF, "step": 1, "display": "color"}
        return {
            "required": {
                "width": ("INT", dict(side)),
                "height": ("INT", dict(side)),
                "batch_size": ("INT", {"default": 1, "min": 1, "max": 4096}),
                "color": ("INT", color),
            }
        }

    def create(self, width: int, height: int, batch_size: int, color: int) -> tuple[Pixels]:
        red_green_blue = np.array(
            [color >> 16 & 0xFF, color >> 8 & 0xFF, color & 0xFF], dtype=np.float32
        )
        # Every pixel is the same memory: nodes never write into their inputs.
        return (np.broadcast_to(red_green_blue / np.float32(255), (batch_size, height, width, 3)),)


class ImageInvert:
    """1 minus every value."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "invert"
    CATEGORY = "image"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {"required": {"image": ("IMAGE",)}}

    def invert(self, image: Pixels) -> tuple[Pixels]:
        return (1 - image,)
