"""The same executor on a real ComfyUI, run as a checkout that the worker starts itself.

COMFYBURST_TEST_COMFYUI names the folder that `infra/comfyui` installs.
"""

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from gpu_functions.contract import (
    OWN_THUMBNAIL_BYTES,
    Canceled,
    Failed,
    FailureCode,
    Log,
    Succeeded,
)
from gpu_functions.executor import Outcome
from gpu_functions.printed import MARK
from gpu_functions.settings import WorkerSettings
from tests.doubles.front_door import FrontDoorDouble, eventually
from tests.gpu_functions.engine import Bench, bench, image, saved, steps

DATA = Path(__file__).with_name("data")
INSTALLED = os.environ.get("COMFYBURST_TEST_COMFYUI", "")

pytestmark = [
    pytest.mark.comfyui,
    pytest.mark.skipif(not INSTALLED, reason="COMFYBURST_TEST_COMFYUI names no ComfyUI"),
]


@pytest.fixture(scope="module")
async def comfyui(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Bench, None]:
    folder = Path(INSTALLED)
    state = tmp_path_factory.mktemp("comfyui")
    settings = WorkerSettings(
        state=state,
        probes=True,
        comfyui_dir=folder / "comfyui",
        comfyui_python=folder / "venv" / "bin" / "python",
        comfyui_args=("--cpu", "--disable-api-nodes"),
    )
    async with bench(state, settings) as started:
        yield started


@pytest.fixture(scope="module")
def workflows() -> dict[str, Any]:
    return json.loads((DATA / "workflows.json").read_text())


@pytest.mark.parametrize(
    ("workflow", "inputs", "kinds"),
    [
        ("1-photo-edit", ["photo.png"], ["image", "image"]),
        ("5-audio", ["tone.wav"], ["audio"] * 4),
        ("6-latent-pixelspace", ["photo.png"], ["image", "latent"]),
        ("7-3d-preview", [], ["text"]),
        ("8-noise-seeded", [], ["image"]),
    ],
)
async def test_a_sample_workflow_gives_its_outputs(
    comfyui: Bench,
    front_door: FrontDoorDouble,
    workflows: dict[str, Any],
    workflow: str,
    inputs: list[str],
    kinds: list[str],
) -> None:
    files = {name: (DATA / name).read_bytes() for name in inputs}
    job = front_door.submit(workflows[workflow], inputs=files)
    assert await comfyui.run(front_door, job) is Outcome.ENDED
    assert isinstance(job.terminal, Succeeded)
    places = job.registered.values()
    assert sorted(place.kind for place in places if place.thumbnail_of is None) == kinds
    large = [place for place in places if place.size_bytes > OWN_THUMBNAIL_BYTES]
    pictures = [place for place in large if place.kind == "image"]
    assert len([place for place in places if place.thumbnail_of]) == len(pictures)


async def test_the_same_graph_again_makes_its_outputs_again(
    comfyui: Bench, front_door: FrontDoorDouble
) -> None:
    graph = image(7) | {"3": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}}
    jobs = [front_door.submit(graph) for _ in range(2)]
    for job in jobs:
        await comfyui.run(front_door, job)
    assert [len(job.output_names) for job in jobs] == [2, 2]


async def test_our_pack_is_there_and_tells_its_progress(
    comfyui: Bench, front_door: FrontDoorDouble
) -> None:
    job = front_door.submit(steps(6, 0.2))
    await comfyui.run(front_door, job)
    assert isinstance(job.terminal, Succeeded)
    assert any(progress.steps == 6 for progress in job.progress)
    assert job.previews[0].content_type == "image/jpeg"


async def test_an_output_that_is_invalid_is_left_out_with_a_warning(
    comfyui: Bench, front_door: FrontDoorDouble
) -> None:
    bad = {
        "8": {
            "class_type": "EmptyImage",
            "inputs": {"width": 0, "height": 64, "batch_size": 1, "color": 0},
        },
        "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "b"}},
    }
    job = front_door.submit(image(8) | bad)
    await comfyui.run(front_door, job)
    assert isinstance(job.terminal, Succeeded)
    logged = [event.message for event in job.events if isinstance(event, Log)]
    [warning] = [line for line in logged if not line.startswith(MARK)]
    assert "smaller than min" in warning
    assert len(job.output_names) == 1


@pytest.mark.parametrize(
    ("class_type", "inputs", "code"),
    [
        ("BurstProbeError", {"kind": "KeyError", "message": "x"}, FailureCode.NODE_ERROR),
        ("BurstProbeOutOfMemory", {}, FailureCode.GPU_OOM),
        ("NoSuchNode", {}, FailureCode.MISSING_NODE),
        (
            "UNETLoader",
            {"unet_name": "absent.safetensors", "weight_dtype": "default"},
            FailureCode.MISSING_MODEL,
        ),
        ("BurstProbeCrash", {"how": "segv"}, FailureCode.COMFYUI_CRASHED),
    ],
)
async def test_a_failure_gets_its_code_and_the_next_job_works(
    comfyui: Bench,
    front_door: FrontDoorDouble,
    class_type: str,
    inputs: dict[str, Any],
    code: FailureCode,
) -> None:
    graph = saved(class_type, **inputs)
    if class_type == "UNETLoader":
        graph |= {"2": {"class_type": "ModelSave", "inputs": {"model": ["1", 0]}}}
        graph["2"]["inputs"]["filename_prefix"] = "m"
    job = front_door.submit(graph)
    await comfyui.run(front_door, job)
    assert isinstance(job.terminal, Failed)
    assert job.terminal.failure.code is code, job.terminal.failure
    assert INSTALLED not in (job.terminal.failure.traceback or "")
    after = front_door.submit(image(9))
    await comfyui.run(front_door, after)
    assert isinstance(after.terminal, Succeeded)


async def test_a_cancel_is_an_interrupt_and_leaves_the_process_alive(
    comfyui: Bench, front_door: FrontDoorDouble
) -> None:
    front_door.heartbeat_s = 0.05
    job = front_door.submit(steps(100, 0.1))
    pid = comfyui.pid
    task = asyncio.create_task(comfyui.run(front_door, job))
    await eventually(lambda: bool(job.progress))
    job.cancel = True
    assert await task is Outcome.ENDED
    assert job.terminal == Canceled()
    assert comfyui.pid == pid


async def test_a_run_that_ignores_its_cancel_is_ended_with_its_process(
    comfyui: Bench, front_door: FrontDoorDouble
) -> None:
    front_door.heartbeat_s = 0.05
    job = front_door.submit(saved("BurstProbeHang", seconds=60))
    pid = comfyui.pid
    task = asyncio.create_task(comfyui.run(front_door, job))
    await eventually(lambda: bool(job.progress))
    job.cancel = True
    assert await task is Outcome.ENDED
    assert job.terminal == Canceled()
    after = front_door.submit(image(10))
    await comfyui.run(front_door, after)
    assert isinstance(after.terminal, Succeeded)
    assert comfyui.pid != pid
