"""EmptyImage and ImageInvert."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from comfy_images.engine.core.node import CoreNode, Inputs, whole

if TYPE_CHECKING:
    from comfy_images.engine.core.pixels import Pixels


class EmptyImage(CoreNode):
    """A batch of pictures of one colour, 0xRRGGBB."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image"
    required: ClassVar[Inputs] = {
        "width": whole(512, 1, 16384),
        "height": whole(512, 1, 16384),
        "batch_size": ("INT", {"default": 1, "min": 1, "max": 4096}),
        "color": (
            "INT",
            {"default": 0, "min": 0, "max": 0xFFFFFF, "step": 1, "display": "color"},
        ),
    }

    def run(self, width: int, height: int, batch_size: int, color: int) -> tuple[Pixels]:
        red_green_blue = np.array(
            [color >> 16 & 0xFF, color >> 8 & 0xFF, color & 0xFF], dtype=np.float32
        )
        # Every pixel is the same memory: nodes never write into their inputs.
        return (np.broadcast_to(red_green_blue / np.float32(255), (batch_size, height, width, 3)),)


class ImageInvert(CoreNode):
    """1 minus every value."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image"
    required: ClassVar[Inputs] = {"image": ("IMAGE",)}

    def run(self, image: Pixels) -> tuple[Pixels]:
        return (1 - image,)
