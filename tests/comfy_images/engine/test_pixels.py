"""What the image nodes do to pixels, against a captured result and the definitions."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from comfy_images.engine.core.blend import ImageBlend
from comfy_images.engine.core.blur import ImageBlur
from comfy_images.engine.core.create import EmptyImage, ImageInvert
from comfy_images.engine.core.pixels import Pixels
from comfy_images.engine.core.scale import ImageScale
from tests.comfy_images.engine.captures import DATA, load
from tests.comfy_images.engine.client import EngineClient
from tests.comfy_images.engine.graphs import empty, preview
from tests.comfy_images.engine.graphs import load as load_node
from tests.comfy_images.engine.process import EngineProcess

METHODS = ["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]


def _picture(path: Any) -> Any:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), dtype=np.int16)


def _gradient(width: int, height: int) -> Pixels:
    row = np.linspace(0, 1, width, dtype=np.float32)
    return np.ascontiguousarray(np.broadcast_to(row[None, None, :, None], (1, height, width, 3)))


async def test_the_photo_workflow_equals_comfyuis_picture_within_one_level(
    client: EngineClient, engine: EngineProcess
) -> None:
    entry = await client.run(load("1-photo-edit.json"))

    [file] = entry["outputs"]["7"]["images"]
    ours = _picture(engine.base / "output" / file["subfolder"] / file["filename"])
    difference = np.abs(ours - _picture(DATA / "photo-edit.png"))
    assert difference.max() <= 1
    assert difference.mean() < 0.001


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_the_asked_size_and_keeps_an_even_colour(method: str) -> None:
    [even] = EmptyImage().run(30, 20, 2, 0x336699)

    [scaled] = ImageScale().run(even, method, 17, 41, "disabled")

    assert scaled.shape == (2, 41, 17, 3)
    assert scaled.dtype == np.float32
    assert np.allclose(scaled * 255, [0x33, 0x66, 0x99], atol=0.01)


@pytest.mark.parametrize("method", METHODS)
def test_scaling_to_the_same_size_changes_nothing(method: str) -> None:
    image = _gradient(256, 8)

    [scaled] = ImageScale().run(image, method, 256, 8, "disabled")

    assert np.allclose(scaled, image, atol=1e-4)


def test_a_side_of_zero_follows_from_the_other() -> None:
    [image] = EmptyImage().run(30, 20, 1, 0)

    for width, height in ((15, 0), (0, 10)):
        [scaled] = ImageScale().run(image, "area", width, height, "disabled")
        assert scaled.shape[1:3] == (10, 15)
    assert ImageScale().run(image, "area", 0, 0, "disabled")[0] is image


def test_a_centred_crop_keeps_the_middle() -> None:
    image = np.zeros((1, 10, 30, 3), dtype=np.float32)
    image[:, :, 10:20] = 1

    [scaled] = ImageScale().run(image, "area", 5, 5, "center")

    assert np.all(scaled == 1)


def test_area_is_the_mean_of_the_touched_pixels() -> None:
    image = np.arange(4, dtype=np.float32).reshape(1, 1, 4, 1)

    [scaled] = ImageScale().run(image, "area", 2, 1, "disabled")

    assert scaled.ravel().tolist() == [0.5, 2.5]


def test_bilinear_samples_between_centres_and_repeats_the_border() -> None:
    image = np.array([0, 1], dtype=np.float32).reshape(1, 1, 2, 1)

    [scaled] = ImageScale().run(image, "bilinear", 4, 1, "disabled")

    assert scaled.ravel().tolist() == [0, 0.25, 0.75, 1]


def test_bicubic_is_keys_convolution_with_torchs_coefficient() -> None:
    """At a quarter of the way the kernel gives 0.2617 and -0.0352 to the two right taps."""
    image = np.array([0, 1], dtype=np.float32).reshape(1, 1, 2, 1)

    [scaled] = ImageScale().run(image, "bicubic", 4, 1, "disabled")

    assert scaled.ravel()[1] == pytest.approx(0.2265625)


def test_a_blur_spreads_a_point_evenly_and_keeps_its_sum() -> None:
    image = np.zeros((1, 21, 21, 3), dtype=np.float32)
    image[0, 10, 10] = 1

    [blurred] = ImageBlur().run(image, 3, 1.0)

    assert blurred[..., 0].sum() == pytest.approx(1, abs=1e-5)
    assert np.allclose(blurred, blurred[:, ::-1, ::-1])
    assert blurred[0, 10, 10, 0] < 0.1


@pytest.mark.parametrize(
    ("mode", "mixed"),
    [
        ("normal", 0.25),
        ("multiply", 0.125),
        ("screen", 0.625),
        ("overlay", 0.25),
        ("soft_light", 0.375),
        ("difference", 0.25),
    ],
)
def test_a_blend_is_its_formula(mode: str, mixed: float) -> None:
    below = np.full((1, 2, 2, 3), 0.5, dtype=np.float32)
    above = np.full((1, 2, 2, 3), 0.25, dtype=np.float32)

    [full] = ImageBlend().run(below, above, 1.0, mode)
    [half] = ImageBlend().run(below, above, 0.5, mode)

    assert np.allclose(full, mixed)
    assert np.allclose(half, (mixed + 0.5) / 2)


def test_a_blend_scales_the_second_picture_to_the_first() -> None:
    [large] = EmptyImage().run(8, 6, 1, 0xFFFFFF)
    [small] = EmptyImage().run(3, 3, 1, 0)

    assert ImageBlend().run(large, small, 0.5, "normal")[0].shape == (1, 6, 8, 3)


def test_inverting_twice_gives_the_picture_back() -> None:
    image = _gradient(16, 4)

    assert np.allclose(ImageInvert().run(ImageInvert().run(image)[0])[0], image)


async def test_noise_depends_on_the_seed_alone(client: EngineClient, engine: EngineProcess) -> None:
    pictures: list[Any] = []
    for seed in (1, 2, 1):
        noise = {"image": ["1", 0], "seed": seed, "strength": 0.3}
        node = {"class_type": "ImageAddNoise", "inputs": noise}
        entry = await client.run({"1": empty(0x808080), "3": node, "2": preview("3")})
        [file] = entry["outputs"]["2"]["images"]
        pictures.append(_picture(engine.base / "temp" / file["filename"]))

    assert np.array_equal(pictures[0], pictures[2])
    assert not np.array_equal(pictures[0], pictures[1])
    assert 40 < pictures[0].std() < 90


async def test_loading_gives_every_frame_upright_and_the_alpha_as_mask(
    client: EngineClient, engine: EngineProcess
) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "lime", "blue")]
    path = engine.base / "input" / "moving.webp"
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)

    entry = await client.run({"1": load_node("moving.webp"), "2": preview("1")})

    files = entry["outputs"]["2"]["images"]
    colors = [_picture(engine.base / "temp" / f["filename"])[0, 0].tolist() for f in files]
    assert colors == [[255, 0, 0], [0, 255, 0], [0, 0, 255]]


async def test_a_file_that_is_no_image_fails_the_node_by_pillows_name(
    client: EngineClient, engine: EngineProcess
) -> None:
    (engine.base / "input" / "empty.png").touch()

    entry = await client.run({"1": load_node("empty.png"), "2": preview("1")})

    assert entry["status"]["messages"][-1][1]["exception_type"] == "PIL.UnidentifiedImageError"


async def test_files_of_subfolders_and_of_other_folders_can_be_loaded(
    client: EngineClient, engine: EngineProcess
) -> None:
    (engine.base / "input" / "job").mkdir(exist_ok=True)
    frame = Image.new("RGB", (8, 8))
    frame.save(engine.base / "input" / "job" / "in.png")
    frame.save(engine.base / "output" / "out.png")

    for name in ("job/in.png", "out.png [output]"):
        entry = await client.run({"1": load_node(name), "2": preview("1")})
        assert entry["status"]["completed"]


async def test_a_file_outside_is_no_valid_image(client: EngineClient) -> None:
    body = {"prompt": {"1": load_node("../../../etc/passwd"), "2": preview("1")}}

    answer = await client.post("/prompt", body)

    assert answer.body["node_errors"]["1"]["errors"][0]["type"] == "custom_validation_failed"
