"""The sample workflows 1, 2, 3 and 8, as ComfyUI 0.8.0 ran them: frames, files, pixels, metadata."""

import io
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image, ImageSequence

from tests.comfy_images.engine.captures import (
    DATA,
    captured_frames,
    comparable,
    load,
    outputs_as_captured,
)
from tests.comfy_images.engine.client import EngineClient, Frame
from tests.comfy_images.engine.process import EngineProcess, running_engine

_LEVELS = 2
"""How far a pixel may be off, of 255. Here all but one were equal; other processors round elsewhere."""


@dataclass(frozen=True)
class Ran:
    """A workflow that was run on an engine of its own: no file had a number yet."""

    client: EngineClient
    frames: list[Frame]
    entry: Any

    async def file(self, node: str, index: int = 0) -> bytes:
        shown = self.entry["outputs"][node]["images"][index]
        return (await self.client.get("/view", params=shown)).body


_CAPTURED_OUTPUTS = {
    "1-photo-edit": ["8", "7"],
    "2-mask-composite": ["10", "11", "8", "12"],
    "3-animated": ["9", "7", "8"],
    "8-noise-seeded": ["3"],
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ran(
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    base = tmp_path_factory.mktemp("workflows")
    (base / "input").mkdir()
    for name in ("photo.png", "badge.png"):
        (base / "input" / name).write_bytes((DATA / name).read_bytes())
    async with running_engine(base) as engine:
        yield {name: await _run(engine, name) for name in _CAPTURED_OUTPUTS}


async def _run(engine: EngineProcess, name: str) -> Ran:
    prompt = outputs_as_captured(load(f"{name}.json"), _CAPTURED_OUTPUTS[name])
    await engine.client.post("/free", {"free_memory": True})  # as before each captured run
    async with engine.client.watching() as watcher:
        frames = await watcher.run(prompt)
    entry = await engine.client.finished(frames[-1].data["prompt_id"])
    return Ran(engine.client, frames, entry)


@pytest.mark.parametrize("name", _CAPTURED_OUTPUTS)
async def test_its_frames_are_the_captured_ones_in_the_captured_order(
    ran: dict[str, Ran], name: str
) -> None:
    """And with them the names of its files, as far as they are not drawn by lot."""
    assert comparable(ran[name].frames) == comparable(captured_frames(f"workflow-{name}"))


async def test_its_files_are_called_as_captured(ran: dict[str, Ran]) -> None:
    saved = {
        name: [file["filename"] for ui in outputs.values() for file in ui.get("images", ())]
        for name, one in ran.items()
        for outputs in [one.entry["outputs"]]
    }

    assert saved["2-mask-composite"][1] == "composite_00001_.png"
    assert saved["3-animated"] == [
        *(f"frames_0000{n}_.png" for n in (1, 2, 3, 4)),
        "anim_00001_.webp",
        "anim_00002_.png",
    ]
    assert saved["8-noise-seeded"] == ["noise_00001_.png"]


@pytest.mark.parametrize(
    ("name", "node", "captured"),
    [
        ("1-photo-edit", "7", "photo-edit.png"),
        ("2-mask-composite", "11", "mask.png"),
        ("2-mask-composite", "12", "composite.png"),
        ("3-animated", "8", "animated.png"),
        ("3-animated", "7", "animated.webp"),
        ("8-noise-seeded", "3", "noise.png"),
    ],
)
async def test_its_pixels_are_the_captured_ones(
    ran: dict[str, Ran], name: str, node: str, captured: str
) -> None:
    ours = Image.open(io.BytesIO(await ran[name].file(node)))
    theirs = Image.open(io.BytesIO((DATA / captured).read_bytes()))

    assert (ours.format, ours.mode, ours.size) == (theirs.format, theirs.mode, theirs.size)
    differences = [
        np.abs(one - other) for one, other in zip(_frames(ours), _frames(theirs), strict=True)
    ]
    assert max(d.max() for d in differences) <= _LEVELS
    assert max(d.mean() for d in differences) < 0.01


async def test_the_stills_are_the_frames_of_the_moving_picture(ran: dict[str, Ran]) -> None:
    one = ran["3-animated"]
    moving = Image.open(io.BytesIO(await one.file("8")))

    for index, frame in enumerate(_frames(moving)):
        [still] = _frames(Image.open(io.BytesIO(await one.file("9", index))))
        assert np.array_equal(still, frame)


async def test_a_moving_png_carries_the_prompt_in_a_chunk_after_its_pixels(
    ran: dict[str, Ran],
) -> None:
    one = ran["3-animated"]

    chunks = list(_chunks(await one.file("8")))

    kinds = [kind for kind, _ in chunks]
    assert kinds == [kind for kind, _ in _chunks((DATA / "animated.png").read_bytes())]
    key, _, text = dict(chunks)[b"comf"].partition(b"\0")
    assert key == b"prompt"
    assert json.loads(text)["6"] == one.entry["prompt"][2]["6"]
    durations = [content[20:24] for kind, content in chunks if kind == b"fcTL"]
    assert durations == [struct.pack(">HH", 83, 500)] * 4  # 166 ms


async def test_a_moving_webp_carries_the_prompt_as_the_model_of_its_camera(
    ran: dict[str, Ran],
) -> None:
    one = ran["3-animated"]

    ours = Image.open(io.BytesIO(await one.file("7")))

    assert list(ours.getexif()) == [272]
    key, _, text = str(ours.getexif()[272]).partition(":")
    assert key == "prompt"
    written = json.loads(text)
    assert len(written["1"].pop("is_changed")[0]) == 64
    assert written == one.entry["prompt"][2]
    assert ours.info["loop"] == 0


async def test_a_mask_preview_carries_nothing_and_a_saved_picture_the_prompt(
    ran: dict[str, Ran],
) -> None:
    one = ran["2-mask-composite"]

    assert Image.open(io.BytesIO(await one.file("11"))).info == {}
    assert Image.open(io.BytesIO(await one.file("12"))).info.keys() == {"prompt"}


def _frames(image: Image.Image) -> list[Any]:
    return [np.asarray(f.convert("RGB"), dtype=np.int16) for f in ImageSequence.Iterator(image)]


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position < len(png):
        size, kind = struct.unpack(">I4s", png[position : position + 8])
        yield kind, png[position + 8 : position + 8 + size]
        position += 12 + size
