"""Noise is torch's: the first and last three of what torch 2.x gave for some seeds and lengths."""

import numpy as np
import pytest

from comfy_images.engine.core.torch_random import randn


@pytest.mark.parametrize(
    ("seed", "count", "ends"),
    [
        (42, 3, [0.33669, 0.12881, 0.23446, 0.33669, 0.12881, 0.23446]),
        (7, 15, [-0.1468, 0.78614, 0.94682, 0.13732, 0.24055, 1.39545]),
        (7, 17, [-0.82013, -0.32457, 1.92637, -1.32335, -1.35977, -0.8667]),
        (1099511627781, 33, [1.84233, 0.51889, -1.71192, -0.52595, -1.69773, -1.03647]),
        (18446744073709551615, 48, [-2.6643, -1.09105, 0.45145, -1.88582, -1.04886, -0.71104]),
    ],
)
def test_a_seed_gives_the_numbers_that_torch_gives(
    seed: int, count: int, ends: list[float]
) -> None:
    """Few, a block and one more, a seed of more than 32 bits, whole blocks: each its own way."""
    numbers = randn(seed, (count,))

    assert numbers.dtype == np.float32
    assert [*numbers[:3], *numbers[-3:]] == pytest.approx(ends, abs=1e-4)


def test_only_the_low_32_bits_of_a_seed_count() -> None:
    assert np.array_equal(randn(5, (4, 5)), randn(2**32 + 5, (4, 5)))
    assert not np.array_equal(randn(5, (4, 5)), randn(6, (4, 5)))


def test_many_numbers_are_normal() -> None:
    numbers = randn(1, (100, 100, 3))

    assert abs(numbers.mean()) < 0.02
    assert abs(numbers.std() - 1) < 0.02
