"""What nodes print is in the log of their job, what they show is bounded: on an engine with such nodes."""

from base64 import b64decode
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest

from gpu_functions.comfyui.console import Room
from gpu_functions.comfyui.process import AttachedComfyUI
from gpu_functions.contract import MAX_PREVIEW_BYTES, Failed, Graph, Log, Succeeded
from gpu_functions.printed import MARK
from gpu_functions.settings import WorkerSettings
from tests.doubles.front_door import FrontDoorDouble, JobRecord
from tests.gpu_functions.engine import Bench, bench

PRINTERS = ("--node-module", "tests.gpu_functions.talkative")


@pytest.fixture(scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Bench, None]:
    state = tmp_path_factory.mktemp("engine")
    async with bench(state, settings(state)) as started:
        yield started


def settings(state: Path, *, shared: bool = False) -> WorkerSettings:
    return WorkerSettings(
        state=state,
        comfyui_args=PRINTERS,
        comfyui_shared=shared,
        comfyui_start_timeout_s=30,
    )


def printing(text: str, times: int = 1, *, dies: bool = False) -> Graph:
    return {
        "1": {"class_type": "Prints", "inputs": {"text": text, "times": times, "dies": dies}},
        "2": {
            "class_type": "EmptyImage",
            "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": ["1", 0]},
        },
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "p"}},
    }


def log_of(job: JobRecord) -> list[str]:
    return [event.message for event in job.events if isinstance(event, Log)]


async def test_what_a_node_prints_is_in_the_log_of_its_job_alone(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    jobs = [front_door.submit(printing(text)) for text in ("one", "two")]
    for job in jobs:
        await engine.run(front_door, job)
        assert isinstance(job.terminal, Succeeded)
    assert [log_of(job) for job in jobs] == [[f"{MARK}one"], [f"{MARK}two"]]


async def test_the_last_words_of_a_process_that_dies_are_kept(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    job = front_door.submit(printing("Fatal: the card is on fire", dies=True))
    await engine.run(front_door, job)
    assert isinstance(job.terminal, Failed)
    assert log_of(job) == [f"{MARK}Fatal: the card is on fire"]


async def test_a_flood_costs_a_bounded_log_and_says_so(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    job = front_door.submit(printing("step", 1_000_000))
    await engine.run(front_door, job)
    assert isinstance(job.terminal, Succeeded)
    *lines, note = log_of(job)
    assert Room().burst <= len(lines) <= Room().lines
    assert note.endswith("more than the log of a job keeps.")
    dropped = int(note.split()[2].replace(",", ""))
    assert dropped + len(lines) == 1_000_000
    assert len(job.batch_times) < 50


async def test_the_partner_key_of_a_job_is_in_no_line(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    key = "partner-0123456789"
    job = front_door.submit(printing(f"calling with {key}"))
    job.ticket = job.ticket.model_copy(update={"extra_data": {"api_key_comfy_org": key}})
    await engine.run(front_door, job)
    assert log_of(job) == [f"{MARK}calling with [redacted]"]


async def test_a_preview_too_large_to_send_is_dropped_and_the_next_one_sent(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    graph = printing("") | {"1": {"class_type": "Shows", "inputs": {"times": 20}}}
    job = front_door.submit(graph)
    await engine.run(front_door, job)
    assert isinstance(job.terminal, Succeeded)
    sizes = {len(b64decode(preview.data_base64)) for preview in job.previews}
    assert sizes
    assert max(sizes) < 10_000 < MAX_PREVIEW_BYTES, "the plain ones alone"
    values = [progress.value for progress in job.progress]
    assert values == sorted(values)


async def test_a_shared_process_is_not_listened_to_nor_one_that_is_not_ours(
    engine: Bench, front_door: FrontDoorDouble, tmp_path: Path
) -> None:
    theirs = AttachedComfyUI((await engine.comfy.ensure(None)).url, shared=False)
    attached = replace(engine, comfy=theirs)
    jobs = [front_door.submit(printing("mine?")) for _ in range(2)]
    await attached.run(front_door, jobs[0])
    await theirs.stop()
    async with bench(tmp_path, settings(tmp_path, shared=True)) as shared:
        await shared.run(front_door, jobs[1])
    assert [type(job.terminal) for job in jobs] == [Succeeded, Succeeded]
    assert [log_of(job) for job in jobs] == [[], []]
