"""The five resampling methods of ImageScale, as torch defines them (except lanczos: Pillow).

All but area and lanczos are separable sums over few taps, without antialiasing: for every target
pixel some source indices and their weights.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from comfy_images.engine.core.pixels import Pixels, from_pil, to_pil

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
Taps = list[tuple[Indices, Floats]]

_CUBIC_A = -0.75  # torch's cubic convolution coefficient


def resample(image: Pixels, method: str, width: int, height: int) -> Pixels:
    """The batch at a new size; `method` is one of METHODS."""
    if method == "lanczos":
        size = (width, height)
        pictures = [to_pil(one).resize(size, Image.Resampling.LANCZOS) for one in image]
        return np.stack([from_pil(picture) for picture in pictures])
    if method == "area":
        return _area(image, width, height)
    along = _SEPARABLE[method]
    return along(along(image, height, 1), width, 2).astype(np.float32)


def _nearest(image: Pixels, size: int, axis: int) -> Pixels:
    old = image.shape[axis]
    index = np.floor((np.arange(size) + 0.5) * old / size).astype(np.int64)
    return np.take(image, np.minimum(index, old - 1), axis)


def _bilinear(image: Pixels, size: int, axis: int) -> Pixels:
    position: Floats = np.maximum(_centers(image.shape[axis], size), 0)
    left = np.floor(position).astype(np.int64)
    share = position - left
    return _weighted(image, axis, [(left, 1 - share), (left + 1, share)])


def _bicubic(image: Pixels, size: int, axis: int) -> Pixels:
    position = _centers(image.shape[axis], size)
    left = np.floor(position).astype(np.int64)
    share = position - left
    taps = [(left + k, _cubic_weight(np.abs(share - k))) for k in (-1, 0, 1, 2)]
    return _weighted(image, axis, taps)


def _cubic_weight(distance: Floats) -> Floats:
    """Keys' cubic convolution kernel."""
    a, d = _CUBIC_A, distance
    near = (a + 2) * d**3 - (a + 3) * d**2 + 1
    far = a * (d**3 - 5 * d**2 + 8 * d - 4)
    return np.where(d <= 1, near, far)


def _area(image: Pixels, width: int, height: int) -> Pixels:
    """The mean of all source pixels that a target pixel touches.

    Added up in float32, row by row, as torch does: files cut fractions off, so the last bit of a
    mean that is nearly a whole level shows.
    """
    rows, heights = _windows(image.shape[1], height)
    columns, widths = _windows(image.shape[2], width)
    total = np.zeros((len(image), height, width, image.shape[3]), dtype=np.float32)
    for down in range(int(heights.max())):
        row = np.take(image, np.minimum(rows + down, image.shape[1] - 1), 1)
        inside_row = (down < heights)[:, None]
        for right in range(int(widths.max())):
            pixels = np.take(row, np.minimum(columns + right, image.shape[2] - 1), 2)
            inside = inside_row & (right < widths)
            total += np.where(inside[None, :, :, None], pixels, np.float32(0))
    return total / _along(heights, 1).astype(np.float32) / _along(widths, 2).astype(np.float32)


def _windows(old: int, size: int) -> tuple[Indices, Indices]:
    """For every target pixel its first source pixel, and how many it touches."""
    start = np.floor(np.arange(size) * old / size).astype(np.int64)
    end = np.ceil(np.arange(1, size + 1) * old / size).astype(np.int64)
    return start, end - start


def _centers(old: int, size: int) -> Floats:
    """Where the centre of every target pixel lies in the source."""
    return (np.arange(size) + 0.5) * old / size - 0.5


def _weighted(image: Pixels, axis: int, taps: Taps) -> Pixels:
    """The sum of the taps; indices beyond the border repeat it."""
    last = image.shape[axis] - 1
    total = np.float32(0)
    for index, weight in taps:
        taken = np.take(image, np.clip(index, 0, last), axis)
        total = total + taken * _along(weight.astype(np.float32), axis)
    return np.asarray(total, dtype=np.float32)


def _along(values: NDArray[np.float32] | Indices, axis: int) -> NDArray[np.float32] | Indices:
    """Shaped to multiply a [batch, height, width, channels] array along `axis`."""
    return values.reshape([-1 if i == axis else 1 for i in range(4)])


_SEPARABLE: dict[str, Callable[[Pixels, int, int], Pixels]] = {
    "nearest-exact": _nearest,
    "bilinear": _bilinear,
    "bicubic": _bicubic,
}
METHODS = ("nearest-exact", "bilinear", "area", "bicubic", "lanczos")
