import asyncio
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest
from aiohttp import web

from gpu_functions.contract import (
    Canceled,
    Failed,
    FailureCode,
    Interrupted,
    Log,
    OutputStored,
    Succeeded,
)
from gpu_functions.executor import Outcome
from tests.doubles.front_door import FrontDoorDouble, JobRecord, eventually
from tests.gpu_functions.engine import Bench, bench, image, saved, steps


@pytest.fixture(scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Bench, None]:
    async with bench(tmp_path_factory.mktemp("engine")) as started:
        yield started


async def running(
    bench: Bench, front_door: FrontDoorDouble, job: JobRecord
) -> asyncio.Task[Outcome]:
    """Start a job and wait until a node of it runs."""
    task = asyncio.create_task(bench.run(front_door, job))
    await eventually(lambda: bool(job.progress))
    return task


async def failure_of(bench: Bench, front_door: FrontDoorDouble, job: JobRecord) -> Failed:
    assert await bench.run(front_door, job) is Outcome.ENDED
    terminal = job.terminal
    assert isinstance(terminal, Failed), terminal
    return terminal


def files_below(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file()]


# --- the happy path -----------------------------------------------------------------------------


async def test_a_job_runs_and_its_outputs_are_stored_before_it_succeeds(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    graph = image() | {"3": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}}
    job = front_door.submit(graph)
    assert await engine.run(front_door, job) is Outcome.ENDED
    *outputs, end = job.events
    assert isinstance(end, Succeeded)
    assert all(isinstance(event, OutputStored) for event in outputs)
    assert len(outputs) == 2
    assert "ComfyUI_00001_.png" in job.output_names
    assert all(data.startswith(b"\x89PNG") for data in front_door.output_bytes(job))
    assert set(end.timings_ms) == {"execution", "outputs"}


async def test_progress_and_previews_come_while_it_runs(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    job = front_door.submit(steps(6, 0.2))
    await engine.run(front_door, job)
    assert isinstance(job.terminal, Succeeded)
    values = [progress.value for progress in job.progress]
    assert len(values) >= 2
    assert values == sorted(values)
    assert any(progress.steps == 6 for progress in job.progress)
    assert job.previews
    assert job.previews[0].content_type == "image/jpeg"


async def test_inputs_are_where_the_graph_names_them(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    made = front_door.submit(image(0x00FF00))
    await engine.run(front_door, made)
    (picture,) = front_door.output_bytes(made)
    graph = saved("LoadImage", image="фото 1.png")
    job = front_door.submit(graph, inputs={"фото 1.png": picture})
    await engine.run(front_door, job)
    assert isinstance(job.terminal, Succeeded)
    assert isinstance(job.events[0], Log)
    assert "Fetched 1 inputs" in job.events[0].message


async def test_the_same_graph_again_makes_its_outputs_again(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    graph = image(0x123456) | {"3": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}}
    jobs = [front_door.submit(graph) for _ in range(2)]
    for job in jobs:
        await engine.run(front_door, job)
    assert [len(job.output_names) for job in jobs] == [2, 2]


async def test_nothing_of_a_job_is_left_in_comfyui(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    graph = image(0x654321) | {"3": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}}
    await engine.run(front_door, front_door.submit(graph, inputs={"a.bin": b"123"}))
    left = [files_below(engine.state / name) for name in ("input", "output", "temp")]
    assert left == [[], [], []]


# --- the wire -----------------------------------------------------------------------------------


async def test_lost_replies_everywhere_change_nothing(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    front_door.faults.lose_replies.update(events=2, outputs=1, put=1)
    job = front_door.submit(image(0x0000FF))
    assert await engine.run(front_door, job) is Outcome.ENDED
    assert isinstance(job.terminal, Succeeded)
    assert len(job.output_names) == 1


async def test_an_outage_of_ten_leases_in_the_middle_costs_nothing(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    front_door.lease_s, front_door.heartbeat_s = 0.2, 0.05
    job = front_door.submit(steps(3, 0.1))
    task = asyncio.create_task(engine.run(front_door, job))
    await eventually(lambda: bool(job.batch_times))
    front_door.faults.unavailable_until = time.monotonic() + 10 * front_door.lease_s
    assert await task is Outcome.ENDED
    assert isinstance(job.terminal, Succeeded)
    assert len(job.output_names) == 1


async def test_an_outage_while_inputs_come_costs_nothing(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    job = front_door.submit(image(0x0F0F0F), inputs={"a.bin": b"123"})
    front_door.faults.unavailable_until = time.monotonic() + 0.5
    await engine.run(front_door, job)
    assert isinstance(job.terminal, Succeeded)


async def test_heartbeats_go_out_while_an_upload_takes_long(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    front_door.heartbeat_s = 0.05
    front_door.faults.delay_s["put"] = 0.6
    job = front_door.submit(image(0xF0F0F0))
    await engine.run(front_door, job)
    assert isinstance(job.terminal, Succeeded)
    assert len(job.batch_times) >= 6


async def test_an_expired_upload_url_is_replaced_by_a_fresh_one(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    front_door.faults.expire_puts = 1
    job = front_door.submit(image(0x00FFFF))
    await engine.run(front_door, job)
    assert isinstance(job.terminal, Succeeded)
    places = [place for place in job.registered.values() if place.thumbnail_of is None]
    assert len(places) == 2
    assert len(job.output_names) == 1


async def test_storage_that_stays_broken_fails_the_job(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    front_door.faults.refuse["put"] = web.Response(status=400)
    job = front_door.submit(image(0xFFFF00))
    failed = await failure_of(engine, front_door, job)
    assert failed.failure.code is FailureCode.OUTPUT_UPLOAD


async def test_an_output_beyond_a_limit_is_left_out_and_said_so(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    front_door.faults.refuse["outputs"] = web.json_response(
        {"error": {"code": "output_limit", "message": "Too many outputs."}}, status=422
    )
    job = front_door.submit(image(0xFF00FF))
    await engine.run(front_door, job)
    warning, end = job.events
    assert isinstance(warning, Log)
    assert "Too many outputs." in warning.message
    assert isinstance(end, Succeeded)


async def test_an_input_that_is_not_what_was_uploaded_fails_the_job(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    job = front_door.submit(saved("LoadImage", image="a.png"), inputs={"a.png": b"right"})
    front_door.files["a.png"] = b"wrong"
    failed = await failure_of(engine, front_door, job)
    assert failed.failure.code is FailureCode.INPUT_DOWNLOAD
    assert "a.png" in failed.failure.message
    assert "http" not in failed.failure.message


# --- the workflow's own failures ----------------------------------------------------------------


async def test_a_node_that_raises_is_reported_with_its_traceback(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    job = front_door.submit(saved("BurstProbeError", kind="ValueError", message="it broke"))
    failure = (await failure_of(engine, front_door, job)).failure
    assert failure.code is FailureCode.NODE_ERROR
    assert (failure.node_id, failure.class_type) == ("1", "BurstProbeError")
    assert "it broke" in failure.message
    assert failure.traceback
    assert str(Path.home()) not in failure.traceback.replace("/root", str(Path.home()))


async def test_memory_that_ran_out_is_told_and_the_next_job_works(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    failed = await failure_of(engine, front_door, front_door.submit(saved("BurstProbeOutOfMemory")))
    assert failed.failure.code is FailureCode.GPU_OOM
    after = front_door.submit(image(1))
    await engine.run(front_door, after)
    assert isinstance(after.terminal, Succeeded)


async def test_a_node_that_does_not_exist_is_named(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    failed = await failure_of(engine, front_door, front_door.submit(saved("NoSuchNode")))
    assert failed.failure.code is FailureCode.MISSING_NODE
    assert "NoSuchNode" in failed.failure.message


# --- interruptions ------------------------------------------------------------------------------


async def test_a_cancel_interrupts_the_run_and_is_verified(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    front_door.heartbeat_s = 0.05
    job = front_door.submit(steps(100, 0.1))
    pid = engine.pid
    task = await running(engine, front_door, job)
    job.cancel = True
    started = time.monotonic()
    assert await task is Outcome.ENDED
    assert job.terminal == Canceled()
    assert time.monotonic() - started < 2
    assert engine.pid == pid, "an interrupt was enough"


async def test_a_stale_epoch_stops_the_run_and_throws_everything_away(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    front_door.heartbeat_s = 0.05
    job = front_door.submit(steps(100, 0.1))
    task = await running(engine, front_door, job)
    job.epoch = 2
    assert await task is Outcome.LOST
    assert not job.events
    after = front_door.submit(image(2))
    await engine.run(front_door, after)
    assert isinstance(after.terminal, Succeeded), "ComfyUI was interrupted"


async def test_a_deadline_ends_the_run(engine: Bench, front_door: FrontDoorDouble) -> None:
    job = front_door.submit(steps(100, 0.1), deadline_s=0.5)
    failed = await failure_of(engine, front_door, job)
    assert failed.failure.code is FailureCode.DEADLINE


async def test_a_worker_that_is_taken_away_hands_the_job_back(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    job = front_door.submit(steps(100, 0.1))
    task = await running(engine, front_door, job)
    started = time.monotonic()
    engine.shutdown.set()
    assert await task is Outcome.HANDED_BACK
    assert job.terminal == Interrupted(restarts=False)
    assert time.monotonic() - started < 2


# --- ComfyUI that fails -------------------------------------------------------------------------


async def test_a_cancel_that_comfyui_ignores_ends_its_process(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    front_door.heartbeat_s = 0.05
    job = front_door.submit(saved("BurstProbeHang", seconds=3600))
    pid = engine.pid
    task = await running(engine, front_door, job)
    job.cancel = True
    assert await task is Outcome.ENDED
    assert job.terminal == Canceled()
    after = front_door.submit(image(3))
    await engine.run(front_door, after)
    assert isinstance(after.terminal, Succeeded)
    assert engine.pid != pid


@pytest.mark.parametrize("how", ["exit", "kill", "segv"])
async def test_a_process_that_dies_is_reported_and_the_next_job_works(
    engine: Bench, front_door: FrontDoorDouble, how: str
) -> None:
    job = front_door.submit(saved("BurstProbeCrash", how=how))
    failed = await failure_of(engine, front_door, job)
    assert failed.failure.code is FailureCode.COMFYUI_CRASHED
    after = front_door.submit(image(4))
    await engine.run(front_door, after)
    assert isinstance(after.terminal, Succeeded)


async def test_a_process_that_dies_leaves_no_file_of_its_job(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    crash = {"class_type": "BurstProbeCrash", "inputs": {"image": ["1", 0], "how": "kill"}}
    save = {"class_type": "SaveImage", "inputs": {"images": ["3", 0], "filename_prefix": "x"}}
    job = front_door.submit(image(5) | {"3": crash, "4": save}, inputs={"note.txt": b"mine"})
    await failure_of(engine, front_door, job)
    left = [files_below(engine.state / name) for name in ("input", "output", "temp")]
    assert left == [[], [], []]


async def test_a_frozen_process_is_a_stall_and_is_replaced(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    job = front_door.submit(steps(100, 0.1), stall_timeout_s=0.5)
    task = await running(engine, front_door, job)
    engine.freeze()
    assert await task is Outcome.ENDED
    assert isinstance(job.terminal, Failed)
    assert job.terminal.failure.code is FailureCode.STALLED
    after = front_door.submit(image(5))
    await engine.run(front_door, after)
    assert isinstance(after.terminal, Succeeded)


async def test_another_workspace_gets_another_process_and_empty_folders(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    await engine.run(front_door, front_door.submit(image(6)))
    (engine.state / "input" / "left.txt").write_text("behind")
    pid = engine.pid
    job = front_door.submit(image(6), workspace_id=uuid4())
    await engine.run(front_door, job)
    assert isinstance(job.terminal, Succeeded)
    assert engine.pid != pid
    assert not files_below(engine.state / "input")
