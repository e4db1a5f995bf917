"""Between image files and the arrays that nodes pass on: float32 [batch, height, width, channels]."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float32]
_FULL = 255.0


def from_pil(image: Image.Image) -> Pixels:
    """One picture, [height, width, channels] or [height, width], 0 to 1."""
    return np.asarray(image, dtype=np.float32) / np.float32(_FULL)


def clipped(values: NDArray[np.floating]) -> Pixels:
    """Held to 0 to 1."""
    return np.clip(values, 0, 1).astype(np.float32, copy=False)


def to_pil(pixels: NDArray[Any]) -> Image.Image:
    """One picture of a batch; fractions are cut off, as ComfyUI's files show."""
    return Image.fromarray(np.clip(pixels * _FULL, 0, _FULL).astype(np.uint8))
