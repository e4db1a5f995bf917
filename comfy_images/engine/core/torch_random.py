"""Torch's normal random numbers for a seed, so that seeded noise has ComfyUI's pixels.

Torch's CPU generator is the Mersenne Twister that NumPy has too, seeded in the same way by the low
32 bits. `randn` makes 24-bit uniform numbers of it and turns them into normal ones by Box-Muller in
blocks of 16: eight radii, then eight angles (ATen, DistributionTemplates.h; BSD). The captured picture
of sample workflow 8 comes out of this to the last bit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_BLOCK = 16
_UNIFORM_BITS = 24
_SMALL = 16  # below this many numbers torch goes another way, number by number in float64


def randn(seed: int, shape: tuple[int, ...]) -> Floats:
    """What `torch.randn(shape)` gives after `torch.manual_seed(seed)`, on the CPU in float32."""
    state = np.random.RandomState(seed & 0xFFFF_FFFF)
    count = math.prod(shape)
    if count < _SMALL:
        return _few(state, count).reshape(shape)
    uniform = _uniform(state, count)
    whole = count - count % _BLOCK
    values = np.empty(count, dtype=np.float32)
    values[:whole] = _box_muller(uniform[:whole])
    if whole < count:
        # The last block overlaps the one before, and is drawn anew.
        values[-_BLOCK:] = _box_muller(_uniform(state, _BLOCK))
    return values.reshape(shape)


def _uniform(state: np.random.RandomState, count: int) -> Floats:
    """From 0 up to 1."""
    bits = state.randint(0, 2**32, size=count, dtype=np.uint32) & ((1 << _UNIFORM_BITS) - 1)
    return bits.astype(np.float32) * np.float32(2**-_UNIFORM_BITS)


def _box_muller(uniform: Floats) -> Floats:
    blocks = uniform.reshape(-1, _BLOCK)
    radius = np.sqrt(np.float32(-2) * np.log(np.float32(1) - blocks[:, : _BLOCK // 2]))
    angle = np.float32(2 * math.pi) * blocks[:, _BLOCK // 2 :]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()


def _few(state: np.random.RandomState, count: int) -> Floats:
    """In pairs, from 53-bit uniform numbers."""
    values: list[float] = []
    while len(values) < count:
        angle, chance = _double(state), _double(state)
        radius = math.sqrt(-2 * math.log1p(-chance))
        values += [
            radius * math.cos(2 * math.pi * angle),
            radius * math.sin(2 * math.pi * angle),
        ]
    return np.array(values[:count], dtype=np.float32)


def _double(state: np.random.RandomState) -> float:
    low, high = (int(bits) for bits in state.randint(0, 2**32, size=2, dtype=np.uint32))
    return ((low << 32 | high) & ((1 << 53) - 1)) / (1 << 53)
