"""Pictures moved about, none of their pixels changed: flip, rotate, crop."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from comfy_images.engine.core.node import CoreNode, Inputs, combo, whole

if TYPE_CHECKING:
    from comfy_images.engine.core.pixels import Pixels

_LONGEST_PX = 16384
_FLIPS = {"x-axis: vertically": 1, "y-axis: horizontally": 2}
_QUARTERS = {"none": 0, "90 degrees": 1, "180 degrees": 2, "270 degrees": 3}


class ImageFlip(CoreNode):
    """Upside down, or left for right."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image/transform"
    required: ClassVar[Inputs] = {"image": ("IMAGE", {}), "flip_method": combo(list(_FLIPS))}

    def run(self, image: Pixels, flip_method: str) -> tuple[Pixels]:
        return (np.flip(image, axis=_FLIPS[flip_method]),)


class ImageRotate(CoreNode):
    """Clockwise."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image/transform"
    required: ClassVar[Inputs] = {"image": ("IMAGE", {}), "rotation": combo(list(_QUARTERS))}

    def run(self, image: Pixels, rotation: str) -> tuple[Pixels]:
        return (np.rot90(image, _QUARTERS[rotation], axes=(2, 1)),)


class ImageCrop(CoreNode):
    """A part of the picture; a corner outside moves to the last pixel."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image/transform"
    required: ClassVar[Inputs] = {
        "image": ("IMAGE", {}),
        "width": whole(512, 1, _LONGEST_PX),
        "height": whole(512, 1, _LONGEST_PX),
        "x": whole(0, 0, _LONGEST_PX),
        "y": whole(0, 0, _LONGEST_PX),
    }

    def run(self, image: Pixels, width: int, height: int, x: int, y: int) -> tuple[Pixels]:
        x, y = min(x, image.shape[2] - 1), min(y, image.shape[1] - 1)
        return (image[:, y : y + height, x : x + width],)
