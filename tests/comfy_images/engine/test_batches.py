"""Batches, sizes, turns and crops."""

import numpy as np
import pytest

from comfy_images.engine.core.batch import (
    BatchImagesNode,
    BatchMasksNode,
    GetImageSize,
    ImageBatch,
    ImageFromBatch,
    RepeatImageBatch,
)
from comfy_images.engine.core.create import EmptyImage
from comfy_images.engine.core.pixels import Pixels
from comfy_images.engine.core.resize import ResizeImageMaskNode
from comfy_images.engine.core.scale import (
    ImageScaleBy,
    ImageScaleToMaxDimension,
    ImageScaleToTotalPixels,
)
from comfy_images.engine.core.turn import ImageCrop, ImageFlip, ImageRotate


def _image(width: int, height: int, count: int = 1, color: int = 0) -> Pixels:
    return EmptyImage().run(width, height, count, color)[0]


def _numbered() -> Pixels:
    """Two rows of three, numbered through."""
    return np.arange(6, dtype=np.float32).reshape(1, 2, 3, 1)


def test_pictures_of_other_sizes_are_fitted_to_the_first_of_the_batch() -> None:
    images = {"image0": _image(8, 6), "image1": _image(3, 3, 2), "image2": _image(20, 1)}

    assert BatchImagesNode().run(images)[0].shape == (4, 6, 8, 3)
    assert ImageBatch().run(_image(3, 3), _image(8, 6))[0].shape == (2, 3, 3, 3)


def test_a_picture_without_alpha_is_opaque_beside_one_with() -> None:
    glass = np.zeros((1, 2, 2, 4), dtype=np.float32)

    [joined] = ImageBatch().run(glass, _image(2, 2))

    assert joined[:, 0, 0, 3].tolist() == [0, 1]


def test_masks_are_batched_too() -> None:
    masks = {"mask0": np.ones((1, 4, 4), np.float32), "mask1": np.ones((1, 2, 2), np.float32)}

    [joined] = BatchMasksNode().run(masks)

    assert joined.shape == (2, 4, 4)
    assert np.all(joined == 1)


def test_a_batch_is_repeated_in_order_and_a_part_taken_from_it() -> None:
    two = np.stack([np.zeros((1, 1, 3)), np.ones((1, 1, 3))]).astype(np.float32)

    [repeated] = RepeatImageBatch().run(two, 2)

    assert repeated[:, 0, 0, 0].tolist() == [0, 1, 0, 1]
    assert ImageFromBatch().run(repeated, 1, 2)[0][:, 0, 0, 0].tolist() == [1, 0]
    assert ImageFromBatch().run(two, 9, 9)[0][:, 0, 0, 0].tolist() == [1]


def test_a_size_is_told_outside_a_run_too() -> None:
    assert GetImageSize().run(_image(8, 6, 2), "1") == (8, 6, 2)


@pytest.mark.parametrize(
    ("rotation", "rows"),
    [
        ("none", [[0, 1, 2], [3, 4, 5]]),
        ("90 degrees", [[3, 0], [4, 1], [5, 2]]),
        ("180 degrees", [[5, 4, 3], [2, 1, 0]]),
        ("270 degrees", [[2, 5], [1, 4], [0, 3]]),
    ],
)
def test_rotation_is_clockwise(rotation: str, rows: list[list[int]]) -> None:
    assert ImageRotate().run(_numbered(), rotation)[0][0, ..., 0].tolist() == rows


def test_a_flip_is_upside_down_or_left_for_right() -> None:
    vertically = ImageFlip().run(_numbered(), "x-axis: vertically")[0]
    horizontally = ImageFlip().run(_numbered(), "y-axis: horizontally")[0]

    assert vertically[0, ..., 0].tolist() == [[3, 4, 5], [0, 1, 2]]
    assert horizontally[0, ..., 0].tolist() == [[2, 1, 0], [5, 4, 3]]


def test_a_crop_holds_its_corner_inside_and_ends_at_the_edge() -> None:
    assert ImageCrop().run(_numbered(), 2, 1, 1, 1)[0].ravel().tolist() == [4, 5]
    assert ImageCrop().run(_numbered(), 9, 9, 9, 9)[0].ravel().tolist() == [5]


def test_scaling_by_a_factor_and_to_a_number_of_pixels() -> None:
    image = _image(200, 100)

    assert ImageScaleBy().run(image, "area", 0.5)[0].shape == (1, 50, 100, 3)
    [tall] = ImageScaleToMaxDimension().run(_image(30, 60), "area", 20)
    assert tall.shape == (1, 20, 10, 3)
    [million] = ImageScaleToTotalPixels().run(image, "nearest-exact", 1.0, 64)
    assert million.shape[1:3] == (704, 1472)


@pytest.mark.parametrize(
    ("way", "given", "size"),
    [
        ("scale by multiplier", {"multiplier": 0.5}, (50, 100)),
        ("scale dimensions", {"width": 30, "height": 0, "crop": "center"}, (15, 30)),
        ("scale dimensions", {"width": 30, "height": 30, "crop": "center"}, (30, 30)),
        ("scale longer dimension", {"longer_size": 50}, (25, 50)),
        ("scale shorter dimension", {"shorter_size": 50}, (50, 100)),
        ("scale width", {"width": 50}, (25, 50)),
        ("scale height", {"height": 50}, (50, 100)),
        ("scale total pixels", {"megapixels": 0.02}, (102, 205)),
        ("match size", {"match": _image(7, 9), "crop": "disabled"}, (9, 7)),
    ],
)
@pytest.mark.parametrize("method", ["area", "lanczos"])
def test_a_picture_and_a_mask_are_resized_in_eight_ways(
    way: str, given: dict[str, object], size: tuple[int, int], method: str
) -> None:
    resize_type = {"resize_type": way, **given}

    [image] = ResizeImageMaskNode().run(_image(200, 100), resize_type, method)
    [mask] = ResizeImageMaskNode().run(np.ones((1, 100, 200), np.float32), resize_type, method)

    assert image.shape == (1, *size, 3)
    assert mask.shape == (1, *size)
