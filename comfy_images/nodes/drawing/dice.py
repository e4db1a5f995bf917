"""The one source of chance of a poster: the same seed gives the same throws everywhere."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Dice:
    """PCG64 by name, not `default_rng`, whose algorithm NumPy may change."""

    def __init__(self, seed: int) -> None:
        """Accepts any seed from 0 on, 64-bit ones included."""
        self.generator = np.random.Generator(np.random.PCG64(seed))

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * float(self.generator.random())

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return int(self.between(low, high + 1))

    def chance(self, probability: float) -> bool:
        return float(self.generator.random()) < probability

    def pick(self, options: Sequence[T]) -> T:
        return options[self.whole(0, len(options) - 1)]

    def shuffled(self, options: Sequence[T]) -> list[T]:
        return sorted(options, key=lambda _: float(self.generator.random()))
