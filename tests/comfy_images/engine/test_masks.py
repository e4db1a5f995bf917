"""What the mask nodes do, by their definitions."""

from typing import Any

import numpy as np
import pytest

from comfy_images.engine.core.composite import (
    ImageCompositeMasked,
    JoinImageWithAlpha,
    SplitImageWithAlpha,
)
from comfy_images.engine.core.create import EmptyImage
from comfy_images.engine.core.mask import (
    CropMask,
    FeatherMask,
    GrowMask,
    ImageColorToMask,
    ImageToMask,
    InvertMask,
    MaskComposite,
    MaskToImage,
    SolidMask,
    ThresholdMask,
)
from comfy_images.engine.core.pixels import Pixels


def _dot(side: int = 7) -> Pixels:
    mask = np.zeros((1, side, side), dtype=np.float32)
    mask[0, side // 2, side // 2] = 1
    return mask


@pytest.mark.parametrize(("tapered", "area"), [(True, 13), (False, 25)])
def test_a_dot_grows_into_a_diamond_with_tapered_corners_and_a_square_without(
    area: int, *, tapered: bool
) -> None:
    [grown] = GrowMask().run(_dot(), 2, tapered_corners=tapered)

    assert grown.sum() == area
    assert np.array_equal(grown, grown[:, ::-1, ::-1])


def test_shrinking_undoes_growing_away_from_the_border() -> None:
    [grown] = GrowMask().run(_dot(), 2, tapered_corners=False)

    [shrunk] = GrowMask().run(grown, -2, tapered_corners=False)

    assert np.array_equal(shrunk, _dot())


def test_a_mask_that_fills_everything_stays_full_when_it_shrinks() -> None:
    [full] = SolidMask().run(1.0, 5, 4)

    assert np.array_equal(GrowMask().run(full, -3, tapered_corners=True)[0], full)


def test_inverting_thresholding_and_cropping() -> None:
    [half] = SolidMask().run(0.25, 3, 2)

    assert half.shape == (1, 2, 3)
    assert np.all(InvertMask().run(half)[0] == 0.75)
    assert np.all(ThresholdMask().run(half, 0.25)[0] == 0)
    assert np.all(ThresholdMask().run(half, 0.2)[0] == 1)
    assert CropMask().run(half, 2, 1, 9, 9)[0].shape == (1, 1, 1)


def test_a_mask_fades_towards_its_edges() -> None:
    """At the right edge off by one, the first step falling on the left: as ComfyUI does."""
    [full] = SolidMask().run(1.0, 8, 1)

    [left] = FeatherMask().run(full, 4, 0, 0, 0)
    [right] = FeatherMask().run(full, 0, 0, 4, 0)

    assert left.ravel().tolist() == [0.25, 0.5, 0.75, 1, 1, 1, 1, 1]
    assert right.ravel().tolist() == [0.25, 1, 1, 1, 1, 1, 0.75, 0.5]


@pytest.mark.parametrize(
    ("operation", "result"),
    [("multiply", 0.24), ("add", 1), ("subtract", 0), ("and", 0), ("or", 1), ("xor", 1)],
)
def test_one_mask_is_worked_into_another_where_they_meet(operation: str, result: float) -> None:
    [below], [above] = SolidMask().run(0.4, 4, 4), SolidMask().run(0.6, 9, 9)

    [mixed] = MaskComposite().run(below, above, 2, 1, operation)

    assert mixed[0, 1:, 2:].ravel().tolist() == pytest.approx([result] * 6)
    assert np.all(mixed[0, 0] == np.float32(0.4))
    assert np.all(below == np.float32(0.4))


def test_transparency_is_put_on_and_taken_off() -> None:
    [white] = EmptyImage().run(4, 4, 1, 0xFFFFFF)
    [quarter] = SolidMask().run(0.25, 2, 9)

    [glass] = JoinImageWithAlpha().run(white, quarter)
    colours, transparent = SplitImageWithAlpha().run(glass)

    assert glass.shape == (1, 4, 4, 4)
    assert np.all(glass[..., 3] == 0.75)
    assert np.array_equal(colours, white)
    assert np.all(transparent == 0.25)
    assert not SplitImageWithAlpha().run(white)[1].any()


def test_a_mask_becomes_grey_and_a_channel_a_mask() -> None:
    [grey] = MaskToImage().run(_dot())

    assert grey.shape == (1, 7, 7, 3)
    for channel in ("red", "green", "blue"):
        assert np.array_equal(ImageToMask().run(grey, channel)[0], _dot())


def test_a_colour_is_found_exactly() -> None:
    [image] = EmptyImage().run(2, 2, 1, 0x336699)

    assert np.all(ImageColorToMask().run(image, 0x336699)[0] == 1)
    assert np.all(ImageColorToMask().run(image, 0x33669A)[0] == 0)


def _laid(source: Pixels, x: int, y: int, **inputs: Any) -> Pixels:
    [black] = EmptyImage().run(10, 8, 1, 0)
    arguments: Any = {"resize_source": False, **inputs}
    [result] = ImageCompositeMasked().run(black, source, x, y, **arguments)
    return result[..., 0]


def test_a_picture_is_laid_onto_another_and_cut_off_at_its_edges() -> None:
    [white] = EmptyImage().run(4, 4, 1, 0xFFFFFF)

    assert _laid(white, 0, 0).sum() == 16
    assert _laid(white, 8, 6).sum() == 4
    assert _laid(white, 10, 8).sum() == 0
    assert _laid(white, 99, 0).sum() == 0
    assert _laid(white, 0, 0, resize_source=True).sum() == 80


def test_a_mask_mixes_and_is_stretched_over_the_source() -> None:
    [white] = EmptyImage().run(4, 4, 1, 0xFFFFFF)
    [quarter] = SolidMask().run(0.25, 2, 9)

    assert _laid(white, 1, 1, mask=quarter).sum() == pytest.approx(4)


def test_neither_picture_is_written_into() -> None:
    [white] = EmptyImage().run(4, 4, 1, 0xFFFFFF)
    before = np.zeros((1, 8, 10, 3), dtype=np.float32)

    ImageCompositeMasked().run(before, white, 0, 0, resize_source=False)

    assert not before.any()
