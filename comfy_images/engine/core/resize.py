"""ResizeImageMaskNode: one node for eight ways to say a new size, for pictures and masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from comfy_images.engine.core.mask import as_image
from comfy_images.engine.core.node import CoreNode, Inputs, whole
from comfy_images.engine.core.resample import METHODS
from comfy_images.engine.core.scale import CROPS, LONGEST_PX, of_total_pixels, scaled

if TYPE_CHECKING:
    from comfy_images.engine.core.pixels import Pixels

Size = tuple[int, int]

_CROP = ("COMBO", {"default": "center", "multiselect": False, "options": CROPS})
_SIDE = whole(512, 0, LONGEST_PX)


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to say a size: what it asks for, and the (width, height) that follows."""

    inputs: Inputs
    size: Callable[[int, int, dict[str, Any]], Size]


def _by(factor: float, width: int, height: int) -> Size:
    return max(1, round(width * factor)), max(1, round(height * factor))


def _dimensions(width: int, height: int, given: dict[str, Any]) -> Size:
    """A side of 0 follows from the other one."""
    new_width, new_height = given["width"], given["height"]
    return (
        new_width or max(1, round(width * new_height / height)),
        new_height or max(1, round(height * new_width / width)),
    )


_WAYS: dict[str, _Way] = {
    "scale by multiplier": _Way(
        {"multiplier": ("FLOAT", {"default": 1.0, "min": 0.01, "max": 8.0, "step": 0.01})},
        lambda w, h, given: _by(given["multiplier"], w, h),
    ),
    "scale dimensions": _Way({"width": _SIDE, "height": _SIDE, "crop": _CROP}, _dimensions),
    "scale longer dimension": _Way(
        {"longer_size": _SIDE}, lambda w, h, given: _by(given["longer_size"] / max(w, h), w, h)
    ),
    "scale shorter dimension": _Way(
        {"shorter_size": _SIDE}, lambda w, h, given: _by(given["shorter_size"] / min(w, h), w, h)
    ),
    "scale width": _Way({"width": _SIDE}, lambda w, h, given: _by(given["width"] / w, w, h)),
    "scale height": _Way({"height": _SIDE}, lambda w, h, given: _by(given["height"] / h, w, h)),
    "scale total pixels": _Way(
        {"megapixels": ("FLOAT", {"default": 1.0, "min": 0.01, "max": 16.0, "step": 0.01})},
        lambda w, h, given: of_total_pixels(w, h, given["megapixels"]),
    ),
    "match size": _Way(
        {"match": ("IMAGE,MASK", {}), "crop": _CROP},
        lambda _w, _h, given: (given["match"].shape[2], given["match"].shape[1]),
    ),
}
_TEMPLATE = {"template_id": "input_type", "allowed_types": "IMAGE,MASK"}
_METHOD = {"default": "area", "multiselect": False, "options": list(METHODS)}


class ResizeImageMaskNode(CoreNode):
    """`resize_type` comes as one dict: the way, and what that way needs."""

    RETURN_TYPES = ("COMFY_MATCHTYPE_V3",)
    RETURN_NAMES = ("resized",)
    OUTPUT_MATCHTYPES = ("input_type",)
    CATEGORY = "transform"
    required: ClassVar[Inputs] = {
        "input": ("COMFY_MATCHTYPE_V3", {"template": _TEMPLATE}),
        "resize_type": (
            "COMFY_DYNAMICCOMBO_V3",
            {"options": [{"key": k, "inputs": {"required": w.inputs}} for k, w in _WAYS.items()]},
        ),
        "scale_method": ("COMBO", _METHOD),
    }

    def run(self, input: Pixels, resize_type: dict[str, Any], scale_method: str) -> tuple[Pixels]:
        height, width = input.shape[1:3]
        way = _WAYS[resize_type["resize_type"]]
        width, height = way.size(width, height, resize_type)
        crop = resize_type.get("crop", "disabled")
        if input.ndim == 4:
            return (scaled(input, scale_method, width, height, crop),)
        return (scaled(as_image(input), scale_method, width, height, crop)[..., 0],)
