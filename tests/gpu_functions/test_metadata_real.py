"""What a real ComfyUI writes, without what it says of its making: the same pictures, frames and samples.

COMFYBURST_TEST_COMFYUI names the folder that `infra/comfyui` installs; its Python has PyAV, ours has not.
"""

import asyncio
import io
import json
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gpu_functions.contract import Failed, FailureCode, OutputStored, Succeeded
from gpu_functions.media.files import CannotStripError
from gpu_functions.media.process import MediaProcess
from gpu_functions.settings import WorkerSettings
from tests.doubles.front_door import FrontDoorDouble, JobRecord
from tests.gpu_functions.engine import Bench, bench
from tests.gpu_functions.media_files import WORKFLOW
from tests.gpu_functions.test_media_strip import stripped

DATA = Path(__file__).with_name("data")
INSTALLED = os.environ.get("COMFYBURST_TEST_COMFYUI", "")
PYTHON = Path(INSTALLED) / "venv" / "bin" / "python"

pytestmark = [
    pytest.mark.comfyui,
    pytest.mark.skipif(not INSTALLED, reason="COMFYBURST_TEST_COMFYUI names no ComfyUI"),
]


@pytest.fixture(scope="module")
async def comfyui(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Bench, None]:
    state = tmp_path_factory.mktemp("comfyui")
    settings = WorkerSettings(
        state=state,
        comfyui_dir=Path(INSTALLED) / "comfyui",
        comfyui_python=PYTHON,
        comfyui_args=("--cpu", "--disable-api-nodes"),
    )
    async with bench(state, settings) as started:
        yield started


@pytest.fixture(scope="module")
async def media() -> AsyncGenerator[MediaProcess]:
    """On ComfyUI's interpreter."""
    media = MediaProcess(PYTHON)
    yield media
    await media.close()


async def asked(*words: str) -> str:
    """What a script says under ComfyUI's Python."""
    process = await asyncio.create_subprocess_exec(
        str(PYTHON), *words, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


async def decoded(folder: Path, *contents: bytes) -> list[dict[str, Any]]:
    """What PyAV finds in files."""
    paths = [folder / f"{number}.bin" for number in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return json.loads(await asked(str(DATA / "decoded.py"), *map(str, paths)))


def video() -> dict[str, Any]:
    """The sample of a video by nodes that every ComfyUI has."""
    graph = json.loads((DATA / "workflows.json").read_text())["4-video"]
    both = {"image1": ["2", 0], "image2": ["3", 0]}
    return {**graph, "4": {"class_type": "ImageBatch", "inputs": both}}


async def ran(comfyui: Bench, front_door: FrontDoorDouble, name: str, **options: Any) -> JobRecord:
    """A sample workflow, at its end."""
    samples = {**json.loads((DATA / "workflows.json").read_text()), "4-video": video()}
    graph = samples[name]
    files = {file: (DATA / file).read_bytes() for file in ("photo.png", "tone.wav")}
    job = front_door.submit(graph, inputs=files, **options)
    await comfyui.run(front_door, job)
    return job


def contents(front_door: FrontDoorDouble, job: JobRecord) -> dict[str, bytes]:
    """The outputs by the end of their names: ComfyUI counts on, and previews have names of chance."""
    assert isinstance(job.terminal, Succeeded), job.terminal
    stored = [event for event in job.events if isinstance(event, OutputStored)]
    places = [job.registered[event.asset_id] for event in stored]
    names = [f"{place.node_id}.{place.name.rpartition('.')[2]}" for place in places]
    return dict(zip(names, front_door.output_bytes(job), strict=True))


@pytest.mark.parametrize(
    ("workflow", "expected"),
    [
        ("1-photo-edit", ["7.png", "8.png"]),
        ("4-video", ["8.mp4", "9.webm"]),
        ("5-audio", ["6.flac", "7.mp3", "8.opus", "9.flac"]),
        ("6-latent-pixelspace", ["6.png", "7.latent"]),
    ],
)
async def test_a_job_that_asks_for_it_gives_the_same_outputs_without_their_workflow(
    comfyui: Bench,
    front_door: FrontDoorDouble,
    tmp_path: Path,
    workflow: str,
    expected: list[str],
) -> None:
    told = contents(front_door, await ran(comfyui, front_door, workflow))
    silent = contents(front_door, await ran(comfyui, front_door, workflow, strip_metadata=True))
    assert sorted(told) == sorted(silent) == expected
    for name, after in silent.items():
        before = told[name]
        # A preview of sound is the only one that ComfyUI itself may leave silent.
        assert b"class_type" in before or name == "9.flac"
        assert not [word for word in (b"class_type", b"prompt", b"workflow") if word in after]
        if name.endswith("png"):
            with Image.open(io.BytesIO(before)) as one, Image.open(io.BytesIO(after)) as other:
                assert one.convert("RGBA").tobytes() == other.convert("RGBA").tobytes()
        elif name.endswith("latent"):
            assert (
                before[8 + int.from_bytes(before[:8], "little") :]
                == (after[8 + int.from_bytes(after[:8], "little") :])
            )
        else:
            one, other = await decoded(tmp_path, before, after)
            assert other["streams"] == one["streams"]
            assert other["format"] == one["format"]
            assert all(len(stream["frames"]) > 1 for stream in one["streams"])
            assert "prompt" not in other["tags"]


@pytest.mark.parametrize(
    ("form", "extension"),
    [("mov", "mov"), ("mp4", "mp4"), ("matroska", "mkv"), ("ipod", "m4a"), ("ogg", "ogg")],
)
async def test_other_containers_keep_their_streams_and_lose_their_tags(
    media: MediaProcess, tmp_path: Path, form: str, extension: str
) -> None:
    path = tmp_path / f"given.{extension}"
    await asked(str(DATA / "muxed.py"), str(path), form, WORKFLOW)
    before = path.read_bytes()
    assert b"class_type" in before
    after = await stripped(media, before, extension)
    assert after is not None
    one, other = await decoded(tmp_path, before, after)
    assert other["streams"] == one["streams"]
    assert not [value for value in other["tags"].values() if "class_type" in value]
    assert await stripped(media, before, extension) == after, "the same bytes every time"


async def test_a_video_that_is_broken_is_refused_or_what_is_left_of_it_is_stripped(
    media: MediaProcess, tmp_path: Path
) -> None:
    path = tmp_path / "given.mkv"
    await asked(str(DATA / "muxed.py"), str(path), "matroska", WORKFLOW)
    content = path.read_bytes()
    for broken in (content[:3_000], content[:200] + os.urandom(4_000), content[:60]):
        made = b""
        with suppress(CannotStripError):
            made = await stripped(media, broken, "mkv") or broken
        assert b"class_type" not in made
    assert await stripped(media, content, "mkv"), "the process lives on"


async def test_a_python_without_pyav_publishes_no_video_and_says_what_helps(
    comfyui: Bench, front_door: FrontDoorDouble
) -> None:
    running = await comfyui.comfy.ensure(None)
    assert running.media is not None
    running.media.interpreter = Path(sys.executable)
    await running.media.close()
    try:
        job = await ran(comfyui, front_door, "4-video", strip_metadata=True)
    finally:
        running.media.interpreter = PYTHON
        await running.media.close()
    assert isinstance(job.terminal, Failed)
    failure = job.terminal.failure
    assert (failure.code, job.terminal.final) == (FailureCode.OUTPUT_UPLOAD, True)
    assert "COMFYUI_PYTHON" in failure.message
    assert not job.output_names
