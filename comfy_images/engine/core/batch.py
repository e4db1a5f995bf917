"""Many pictures from few, few from many, and how large they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from comfy_images.engine.core.node import CoreNode, Inputs
from comfy_images.engine.core.scale import scaled
from comfy_images.engine.host import current

if TYPE_CHECKING:
    from comfy_images.engine.core.pixels import Pixels

_MOST = 4096


def _growing(name: str, kind: str) -> dict[str, Any]:
    """Two to fifty inputs `name0`, `name1` and so on."""
    template: dict[str, Any] = {
        "input": {"required": {name: (kind, {})}},
        "prefix": name,
        "min": 2,
        "max": 50,
    }
    return {"template": template}


class BatchImagesNode(CoreNode):
    """All pictures in one batch, those of another size fitted to the first."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image"
    required: ClassVar[Inputs] = {"images": ("COMFY_AUTOGROW_V3", _growing("image", "IMAGE"))}

    def run(self, images: dict[str, Pixels]) -> tuple[Pixels]:
        return (joined(list(images.values())),)


class BatchMasksNode(CoreNode):
    """All masks in one batch, those of another size fitted to the first."""

    RETURN_TYPES = ("MASK",)
    CATEGORY = "mask"
    required: ClassVar[Inputs] = {"masks": ("COMFY_AUTOGROW_V3", _growing("mask", "MASK"))}

    def run(self, masks: dict[str, Pixels]) -> tuple[Pixels]:
        return (joined([mask[..., None] for mask in masks.values()])[..., 0],)


class ImageBatch(CoreNode):
    """Two pictures in one batch: the older way."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image"
    DEPRECATED = True
    required: ClassVar[Inputs] = {"image1": ("IMAGE",), "image2": ("IMAGE",)}

    def run(self, image1: Pixels, image2: Pixels) -> tuple[Pixels]:
        return (joined([image1, image2]),)


class RepeatImageBatch(CoreNode):
    """The batch several times over."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image/batch"
    required: ClassVar[Inputs] = {
        "image": ("IMAGE", {}),
        "amount": ("INT", {"default": 1, "min": 1, "max": _MOST}),
    }

    def run(self, image: Pixels, amount: int) -> tuple[Pixels]:
        return (np.tile(image, (amount, 1, 1, 1)),)


class ImageFromBatch(CoreNode):
    """Some pictures of a batch, at least one."""

    RETURN_TYPES = ("IMAGE",)
    CATEGORY = "image/batch"
    required: ClassVar[Inputs] = {
        "image": ("IMAGE", {}),
        "batch_index": ("INT", {"default": 0, "min": 0, "max": _MOST - 1}),
        "length": ("INT", {"default": 1, "min": 1, "max": _MOST}),
    }

    def run(self, image: Pixels, batch_index: int, length: int) -> tuple[Pixels]:
        first = min(batch_index, len(image) - 1)
        return (image[first : first + length],)


class GetImageSize(CoreNode):
    """Shows the size at the node, too."""

    RETURN_TYPES = ("INT", "INT", "INT")
    RETURN_NAMES = ("width", "height", "batch_size")
    CATEGORY = "image"
    DESCRIPTION = "Returns width and height of the image, and passes it through unchanged."
    required: ClassVar[Inputs] = {"image": ("IMAGE", {})}
    hidden: ClassVar[Inputs] = {"unique_id": ("UNIQUE_ID",)}

    def run(self, image: Pixels, unique_id: str) -> tuple[int, int, int]:
        count, height, width = image.shape[:3]
        host = current()
        if host is not None:
            text = f"width: {width}, height: {height}\n batch size: {count}"
            host.progress_text(text, unique_id)
        return width, height, count


def joined(batches: list[Pixels]) -> Pixels:
    """One batch of the size of the first; where some have alpha, the others are opaque."""
    height, width = batches[0].shape[1:3]
    channels = max(batch.shape[3] for batch in batches)
    fitting = [
        batch
        if batch.shape[1:3] == (height, width)
        else scaled(batch, "bilinear", width, height, "center")
        for batch in batches
    ]
    return np.concatenate([_with_channels(batch, channels) for batch in fitting])


def _with_channels(batch: Pixels, channels: int) -> Pixels:
    missing = channels - batch.shape[3]
    return np.pad(batch, ((0, 0), (0, 0), (0, 0), (0, missing)), constant_values=1)
