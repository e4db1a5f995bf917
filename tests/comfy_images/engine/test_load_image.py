"""LoadImage: frames, orientation and the mask."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from comfy_images.engine.core import core_types
from comfy_images.engine.folders import Folders


@pytest.fixture
def loader(tmp_path: Path) -> Any:
    folders = Folders(tmp_path)
    folders.prepare()
    return core_types(folders, write_metadata=True)["LoadImage"].implementation()


def test_the_mask_is_one_where_the_picture_is_transparent(loader: Any) -> None:
    image = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    image.putpixel((1, 0), (0, 255, 0, 0))
    image.save(loader.folders.input / "a.png")

    pictures, masks = loader.load("a.png")

    assert masks.tolist() == [[[0, 1]]]
    assert pictures.shape == (1, 1, 2, 3)


def test_a_picture_without_alpha_has_an_empty_mask(loader: Any) -> None:
    Image.new("RGB", (9, 9)).save(loader.folders.input / "a.png")

    _, masks = loader.load("a.png")

    assert masks.shape == (1, 64, 64)
    assert not masks.any()


def test_the_transparent_colour_of_a_palette_is_masked(loader: Any) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([0, 0, 0, 255, 255, 255])
    image.putpixel((1, 0), 1)
    image.save(loader.folders.input / "a.png", transparency=0)

    assert loader.load("a.png")[1].tolist() == [[[1, 0]]]


def test_frames_of_another_size_are_left_out(loader: Any) -> None:
    first, second = Image.new("RGB", (4, 4)), Image.new("RGB", (5, 5))
    first.save(loader.folders.input / "a.tiff", save_all=True, append_images=[second, first])

    assert loader.load("a.tiff")[0].shape == (2, 4, 4, 3)


def test_a_turned_photo_is_set_upright(loader: Any) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (4, 2)).save(loader.folders.input / "a.jpg", exif=exif)

    assert loader.load("a.jpg")[0].shape == (1, 4, 2, 3)


def test_sixteen_bit_grey_keeps_its_high_bits(loader: Any) -> None:
    Image.fromarray(np.array([[0, 32768, 65535]], dtype=np.uint16)).save(
        loader.folders.input / "a.png"
    )

    grey = loader.load("a.png")[0][0, 0, :, 0] * 255

    assert grey.round().tolist() == [0, 128, 255]
