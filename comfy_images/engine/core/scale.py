"""ImageScale: resizes a batch, optionally cropped to the new proportions first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_images.engine.core.resample import METHODS, resample

if TYPE_CHECKING:
    from comfy_images.engine.core.pixels import Pixels


class ImageScale:
    """A width or height of 0 follows from the other side."""

    RETURN_TYPES = ("IMAGE",)
    FUNCTION = "scale"
    CATEGORY = "image/upscaling"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        side = {"default": 512, "min": 0, "max": 16384, "step": 1}
        return {
            "required": {
                "image": ("IMAGE",),
                "upscale_method": (list(METHODS),),
                "width": ("INT", dict(side)),
                "height": ("INT", dict(side)),
                "crop": (["disabled", "center"],),
            }
        }

    def scale(
        self, image: Pixels, upscale_method: str, width: int, height: int, crop: str
    ) -> tuple[Pixels]:
        if width == 0 and height == 0:
            return (image,)
        old_height, old_width = image.shape[1:3]
        width = width or max(1, round(old_width * height / old_height))
        height = height or max(1, round(old_height * width / old_width))
        if crop == "center":
            image = _cropped(image, width / height)
        return (resample(image, upscale_method, width, height),)


def _cropped(image: Pixels, proportion: float) -> Pixels:
    """The largest middle part with width / height = `proportion`."""
    height, width = image.shape[1:3]
    x = y = 0
    if width / height > proportion:
        x = round((width - width * (proportion / (width / height))) / 2)
    else:
        y = round((height - height * ((width / height) / proportion)) / 2)
    return image[:, y : height - y, x : width - x]
