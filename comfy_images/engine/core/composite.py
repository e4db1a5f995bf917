"""One picture laid onto another where a mask says so; transparency taken off and put on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from comfy_images.engine.core.node import CoreNode, Inputs, whole
from comfy_images.engine.core.resample import resample

if TYPE_CHECKING:
    from comfy_images.engine.core.pixels import Pixels

_LONGEST_PX = 16384


class ImageCompositeMasked(CoreNode):
    """The mask is stretched over the source; without one the source covers all."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image"
    required: ClassVar[Inputs] = {
        "destination": ("IMAGE", {}),
        "source": ("IMAGE", {}),
        "x": whole(0, 0, _LONGEST_PX),
        "y": whole(0, 0, _LONGEST_PX),
        "resize_source": ("BOOLEAN", {"default": False}),
    }
    optional: ClassVar[Inputs] = {"mask": ("MASK", {})}

    def run(
        self,
        destination: Pixels,
        source: Pixels,
        x: int,
        y: int,
        *,
        resize_source: bool,
        mask: Pixels | None = None,
    ) -> tuple[Pixels]:
        count, height, width = destination.shape[:3]
        if resize_source:
            source = resample(source, "bilinear", width, height)
        source = _repeated(source, count)
        covering = _stretched(mask, source)
        # Beyond the right and lower edge the source is cut off.
        top, left = min(y, height), min(x, width)
        piece = source[:, : height - top, : width - left]
        share = covering[:, : height - top, : width - left]
        result = destination.copy()
        area = result[:, top : top + piece.shape[1], left : left + piece.shape[2]]
        area[...] = share * piece + (1 - share) * area
        return (result,)


class SplitImageWithAlpha(CoreNode):
    """The colours, and a mask of what is transparent."""

    RETURN_TYPES = ("IMAGE", "MASK")
    CATEGORY = "mask/compositing"
    required: ClassVar[Inputs] = {"image": ("IMAGE", {})}

    def run(self, image: Pixels) -> tuple[Pixels, Pixels]:
        transparent = 1 - image[..., 3] if image.shape[3] > 3 else np.zeros_like(image[..., 0])
        return image[..., :3], transparent


class JoinImageWithAlpha(CoreNode):
    """A picture that is transparent where the mask is 1."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "mask/compositing"
    required: ClassVar[Inputs] = {"image": ("IMAGE", {}), "alpha": ("MASK", {})}

    def run(self, image: Pixels, alpha: Pixels) -> tuple[Pixels]:
        count = min(len(image), len(alpha))
        opaque = 1 - _stretched(alpha[:count], image[:count])
        return (np.concatenate([image[:count, ..., :3], opaque], axis=-1),)


def _stretched(mask: Pixels | None, source: Pixels) -> Pixels:
    """The mask with one channel, as large and as many as the source."""
    count, height, width = source.shape[:3]
    if mask is None:
        return np.ones((count, height, width, 1), dtype=np.float32)
    fitting = resample(mask[..., None], "bilinear", width, height)
    return _repeated(fitting, count)


def _repeated(batch: Pixels, count: int) -> Pixels:
    """`count` of them: the batch from the start again, as often as needed."""
    return batch[np.arange(count) % len(batch)]
