"""Masks by themselves: float32 arrays [batch, height, width], 1 where something is meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from comfy_images.engine.core.node import CoreNode, Inputs, combo, whole
from comfy_images.engine.core.pixels import Pixels

_LONGEST_PX = 16384
_UNIT = {"min": 0.0, "max": 1.0, "step": 0.01}
_OPERATIONS: dict[str, Callable[[Pixels, Pixels], Pixels]] = {
    "multiply": lambda below, above: below * above,
    "add": lambda below, above: below + above,
    "subtract": lambda below, above: below - above,
    "and": lambda below, above: _as_floats(_as_bits(below) & _as_bits(above)),
    "or": lambda below, above: _as_floats(_as_bits(below) | _as_bits(above)),
    "xor": lambda below, above: _as_floats(_as_bits(below) ^ _as_bits(above)),
}
_CHANNELS = ["red", "green", "blue", "alpha"]


class SolidMask(CoreNode):
    """One value everywhere."""

    RETURN_TYPES = ("MASK",)
    CATEGORY = "mask"
    required: ClassVar[Inputs] = {
        "value": ("FLOAT", {"default": 1.0, **_UNIT}),
        "width": whole(512, 1, _LONGEST_PX),
        "height": whole(512, 1, _LONGEST_PX),
    }

    def run(self, value: float, width: int, height: int) -> tuple[Pixels]:
        return (np.full((1, height, width), value, dtype=np.float32),)


class InvertMask(CoreNode):
    """1 minus every value."""

    RETURN_TYPES = ("MASK",)
    CATEGORY = "mask"
    required: ClassVar[Inputs] = {"mask": ("MASK", {})}

    def run(self, mask: Pixels) -> tuple[Pixels]:
        return (1 - mask,)


class ThresholdMask(CoreNode):
    """1 where the mask is above a value."""

    RETURN_TYPES = ("MASK",)
    CATEGORY = "mask"
    required: ClassVar[Inputs] = {
        "mask": ("MASK", {}),
        "value": ("FLOAT", {"default": 0.5, **_UNIT}),
    }

    def run(self, mask: Pixels, value: float) -> tuple[Pixels]:
        return ((mask > value).astype(np.float32),)


class CropMask(CoreNode):
    """A part of the mask; what lies outside is not there."""

    RETURN_TYPES = ("MASK",)
    CATEGORY = "mask"
    required: ClassVar[Inputs] = {
        "mask": ("MASK", {}),
        "x": whole(0, 0, _LONGEST_PX),
        "y": whole(0, 0, _LONGEST_PX),
        "width": whole(512, 1, _LONGEST_PX),
        "height": whole(512, 1, _LONGEST_PX),
    }

    def run(self, mask: Pixels, x: int, y: int, width: int, height: int) -> tuple[Pixels]:
        return (mask[:, y : y + height, x : x + width],)


class FeatherMask(CoreNode):
    """Fades towards each edge, over so many pixels; at right and bottom off by one, as in ComfyUI."""

    RETURN_TYPES = ("MASK",)
    CATEGORY = "mask"
    required: ClassVar[Inputs] = {
        "mask": ("MASK", {}),
        "left": whole(0, 0, _LONGEST_PX),
        "top": whole(0, 0, _LONGEST_PX),
        "right": whole(0, 0, _LONGEST_PX),
        "bottom": whole(0, 0, _LONGEST_PX),
    }

    def run(self, mask: Pixels, left: int, top: int, right: int, bottom: int) -> tuple[Pixels]:
        height, width = mask.shape[1:]
        across = _fade(width, left) * _fade_back(width, right)
        down = _fade(height, top) * _fade_back(height, bottom)
        return ((mask * np.outer(down, across)).astype(np.float32, copy=False),)


class MaskComposite(CoreNode):
    """One mask worked into another by one of six operations; the logical ones round first."""

    RETURN_TYPES = ("MASK",)
    CATEGORY = "mask"
    required: ClassVar[Inputs] = {
        "destination": ("MASK", {}),
        "source": ("MASK", {}),
        "x": whole(0, 0, _LONGEST_PX),
        "y": whole(0, 0, _LONGEST_PX),
        "operation": combo(list(_OPERATIONS)),
    }

    def run(
        self, destination: Pixels, source: Pixels, x: int, y: int, operation: str
    ) -> tuple[Pixels]:
        result = destination.copy()
        height, width = source.shape[1:]
        area = result[:, y : y + height, x : x + width]
        piece = source[:, : area.shape[1], : area.shape[2]]
        area[...] = _OPERATIONS[operation](area, piece)
        return (np.clip(result, 0, 1),)


class GrowMask(CoreNode):
    """Every step takes the largest value around a pixel, or the smallest to shrink.

    Around is the four neighbours with tapered corners, all eight without.
    """

    RETURN_TYPES = ("MASK",)
    CATEGORY = "mask"
    required: ClassVar[Inputs] = {
        "mask": ("MASK", {}),
        "expand": whole(0, -_LONGEST_PX, _LONGEST_PX),
        "tapered_corners": ("BOOLEAN", {"default": True}),
    }

    def run(self, mask: Pixels, expand: int, *, tapered_corners: bool) -> tuple[Pixels]:
        # Shrinking is growing what is outside.
        grown = -mask if expand < 0 else mask
        for _ in range(abs(expand)):
            grown = _grown(grown, tapered=tapered_corners)
        return (-grown if expand < 0 else grown,)


class MaskToImage(CoreNode):
    """Grey."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "mask"
    required: ClassVar[Inputs] = {"mask": ("MASK", {})}

    def run(self, mask: Pixels) -> tuple[Pixels]:
        return (as_image(mask),)


class ImageToMask(CoreNode):
    """One channel."""

    RETURN_TYPES = ("MASK",)
    CATEGORY = "mask"
    required: ClassVar[Inputs] = {"image": ("IMAGE", {}), "channel": combo(_CHANNELS)}

    def run(self, image: Pixels, channel: str) -> tuple[Pixels]:
        return (image[..., _CHANNELS.index(channel)],)


class ImageColorToMask(CoreNode):
    """1 where a picture has exactly one colour, 0xRRGGBB."""

    RETURN_TYPES = ("MASK",)
    CATEGORY = "mask"
    required: ClassVar[Inputs] = {
        "image": ("IMAGE", {}),
        "color": (
            "INT",
            {"default": 0, "min": 0, "max": 0xFFFFFF, "step": 1, "display": "number"},
        ),
    }

    def run(self, image: Pixels, color: int) -> tuple[Pixels]:
        levels = np.round(np.clip(image[..., :3], 0, 1) * 255).astype(np.int32)
        found = levels[..., 0] << 16 | levels[..., 1] << 8 | levels[..., 2]
        return ((found == color).astype(np.float32),)


def _as_bits(mask: Pixels) -> NDArray[np.bool_]:
    return np.round(mask) != 0


def _as_floats(bits: NDArray[np.bool_]) -> Pixels:
    return bits.astype(np.float32)


def _fade(length: int, over: int) -> Pixels:
    """From the first pixel on: 1/over, 2/over and so on up to 1."""
    steps = np.arange(1, length + 1) / max(min(over, length), 1)
    return np.minimum(steps, 1).astype(np.float32)


def _fade_back(length: int, over: int) -> Pixels:
    """From the last pixel on: 2/over, 3/over up to 1. The 1/over falls on the first, as measured."""
    return np.roll(_fade(length, over)[::-1], 1)


def as_image(mask: Pixels) -> Pixels:
    return np.repeat(mask[..., None], 3, axis=-1)


def _grown(mask: Pixels, *, tapered: bool) -> Pixels:
    """One step; the border repeats itself."""
    height, width = mask.shape[1:]
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)), mode="edge")
    grown = mask
    for y in range(3):
        for x in range(3):
            if tapered and x != 1 and y != 1:
                continue
            grown = np.maximum(grown, padded[:, y : y + height, x : x + width])
    return grown
