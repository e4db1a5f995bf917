"""The eight sample workflows, from the public API to the last byte, on a real ComfyUI.

Every kind of output there is: images still and moving, films, sounds, a latent, texts, a 3D model.
"""

import base64
import hashlib
import json
import struct
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from PIL import Image

from tests.conformance.samples import (
    EXPECTED,
    INPUTS,
    NAMES,
    Delivered,
    check_picture,
    check_told,
    delivered,
    difference,
    fitting,
    graph_of,
    matched,
    sha256_of,
    upload_inputs,
)
from tests.real_comfyui import NEEDS_COMFYUI, PYTHON, ask_comfyui, running_comfyui
from tests.running import Running

pytestmark = [*NEEDS_COMFYUI, pytest.mark.timeout(240)]

_ENGINE: Final = Path(__file__).parents[1] / "comfy_images" / "engine" / "data"
_LOSSY_LEVELS: Final = 8
"""How far a film's colours are off on average: it was made of half of them, and pressed."""
_CUBE: Final = struct.pack("<4sII", b"glTF", 2, 12)

Ran = dict[str, list[Delivered]]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    with running_comfyui(tmp_path_factory.mktemp("samples"), {}) as started:
        upload_inputs(started)
        yield started


@pytest.fixture(scope="module")
def ran(stack: Running) -> Ran:
    """All eight, queued at once; what each delivered."""
    # Preview3D names a file that somebody else wrote into ComfyUI's output folder.
    mesh = stack.state / "worker" / "output" / "mesh"
    mesh.mkdir()
    (mesh / "cube.glb").write_bytes(_CUBE)
    known = ask_comfyui(stack, "/object_info")
    ids = {name: stack.submit(fitting(graph_of(name), known)) for name in NAMES}
    jobs = {name: stack.job(job_id, wait=120) for name, job_id in ids.items()}
    assert {name: (job["status"], job["error"]) for name, job in jobs.items()} == dict.fromkeys(
        NAMES, ("succeeded", None)
    )
    return {name: delivered(job) for name, job in jobs.items()}


def of_type(ran: Ran, *types: str) -> list[tuple[Delivered, dict[str, Any]]]:
    pairs = [pair for name in NAMES for pair in matched(ran[name], name)]
    return [pair for pair in pairs if pair[1]["type"] in types]


@pytest.mark.parametrize("name", NAMES)
def test_every_output_arrives_as_what_it_is(ran: Ran, name: str) -> None:
    for one, row in matched(ran[name], name):
        check_told(one, row)


def test_between_them_they_have_every_type_of_output(ran: Ran) -> None:
    kinds = {one.said["type"] for found in ran.values() for one in found}

    assert kinds == {"image", "video", "audio", "text", "file", "latent"}


def test_pictures_have_the_captured_pixels(ran: Ran) -> None:
    pictures = of_type(ran, "image")

    assert len(pictures) == sum(
        row["type"] == "image" for rows in EXPECTED.values() for row in rows
    )
    for one, row in pictures:
        frames = check_picture(one, row)
        if "pixels" in row:
            assert [sha256_of(frame) for frame in frames] == row["pixels"], one.name


def test_the_moving_webp_looks_as_captured(ran: Ran) -> None:
    [moving] = [one for one in ran["3-animated"] if one.name.endswith(".webp")]
    captured = Delivered({}, (_ENGINE / "animated.webp").read_bytes())

    for ours, theirs in zip(moving.frames(), captured.frames(), strict=True):
        assert difference(ours, theirs) <= 2


@pytest.fixture(scope="module")
def media(ran: Ran, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is in each film and sound, by its name; our own environment cannot open them."""
    folder = tmp_path_factory.mktemp("media")
    looked: dict[str, Any] = {}
    for one, _ in of_type(ran, "video", "audio"):
        path = folder / one.name
        path.write_bytes(one.content)
        done = subprocess.run(  # noqa: S603 - our own script
            [str(PYTHON), "-I", str(Path(__file__).with_name("media.py")), str(path)],
            capture_output=True,
            check=True,
        )
        looked[one.name] = json.loads(done.stdout)
    return looked


def test_films_and_sounds_have_the_captured_streams(ran: Ran, media: dict[str, Any]) -> None:
    for one, row in of_type(ran, "video", "audio"):
        looked = media[one.name]
        said = {
            kind: {key: looked[kind][key] for key in wanted if key != "codec"}
            for kind, wanted in row["streams"].items()
        }
        wanted = {
            kind: {key: value for key, value in stream.items() if key != "codec"}
            for kind, stream in row["streams"].items()
        }
        assert said == wanted, one.name
        for kind, stream in row["streams"].items():
            assert stream["codec"] in looked[kind]["codec"], one.name  # mp3float, libopus
        assert {"video", "audio"} & looked.keys() == row["streams"].keys()


def test_films_show_the_photo_and_its_mirror(ran: Ran, media: dict[str, Any]) -> None:
    with Image.open(INPUTS["photo.png"]) as photo:
        middle = (
            photo.convert("RGB").crop((16, 0, 496, 384)).resize((160, 128), Image.Resampling.BOX)
        )
    mirrored = middle.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for one, _ in of_type(ran, "video"):
        first, second = (_picture(text) for text in media[one.name]["video"]["pictures"])
        assert _mean_difference(first, middle) < _LOSSY_LEVELS
        assert _mean_difference(second, mirrored) < _LOSSY_LEVELS


def _picture(pixels: str) -> Image.Image:
    return Image.frombytes("RGB", (160, 128), base64.b64decode(pixels))


def _mean_difference(one: Image.Image, other: Image.Image) -> float:
    levels = [np.asarray(image, dtype=np.int16) for image in (one, other)]
    return float(np.abs(levels[0] - levels[1]).mean())


def test_texts_say_what_was_captured(ran: Ran) -> None:
    for one, row in of_type(ran, "text"):
        assert one.content.decode() == row["text"]


def test_the_latent_is_the_captured_tensor(ran: Ran) -> None:
    [(latent, row)] = of_type(ran, "latent")
    (head,) = struct.unpack_from("<Q", latent.content)
    numbers = latent.content[8 + head :]

    assert json.loads(latent.content[8 : 8 + head])["latent_tensor"]["shape"] == [1, 3, 192, 256]
    assert len(numbers) == row["bytes"]
    assert hashlib.sha256(numbers).hexdigest() == row["sha256"]


def test_a_3d_model_that_a_node_only_names_is_delivered_if_it_is_there(
    stack: Running, ran: Ran
) -> None:
    [(model, _)] = of_type(ran, "file")
    assert model.content == _CUBE
    assert (model.name, model.said["content_type"]) == ("cube.glb", "model/gltf-binary")

    (stack.state / "worker" / "output" / "mesh" / "cube.glb").unlink()
    graph = graph_of("7-3d-preview")
    job = stack.job(stack.submit(graph), wait=60)
    assert [output["type"] for output in job["outputs"]] == ["text"]


def test_nothing_is_left_in_comfyui(stack: Running, ran: Ran) -> None:
    assert ran
    assert ask_comfyui(stack, "/history") == {}
    worker = stack.state / "worker"
    left = [path for name in ("input", "output", "temp") for path in (worker / name).rglob("*")]
    assert [path for path in left if path.is_file()] == []
