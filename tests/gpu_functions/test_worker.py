"""The worker's loop on a real engine: registers, claims, runs, asks again."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from gpu_functions.contract import Interrupted, Succeeded
from gpu_functions.front_door import FrontDoor
from gpu_functions.settings import WorkerSettings
from gpu_functions.worker import Worker
from tests.doubles.front_door import WORKER_TOKEN, FrontDoorDouble, eventually
from tests.gpu_functions.engine import Bench, bench, image, steps


@pytest.fixture(scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Bench, None]:
    async with bench(tmp_path_factory.mktemp("engine")) as started:
        yield started


@asynccontextmanager
async def working(
    engine: Bench, front_door: FrontDoorDouble, ready: Path, *, ask_every_s: float = 0.1
) -> AsyncGenerator[Worker, None]:
    """A worker at work; it is stopped, and must stop, on the way out."""
    settings = WorkerSettings(internal_url=front_door.url, ready_file=ready)
    async with httpx.AsyncClient(base_url=front_door.url, timeout=5) as http:
        worker = Worker(
            settings,
            FrontDoor(http, WORKER_TOKEN),
            engine.comfy,
            engine.transfer,
            ask_every_s=ask_every_s,
            park_s=60,
        )
        task = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.shutdown.set()
            async with asyncio.timeout(5):
                await task


async def test_a_worker_registers_then_runs_what_it_finds(
    engine: Bench, front_door: FrontDoorDouble, tmp_path: Path
) -> None:
    jobs = [front_door.submit(image(color)) for color in range(3)]
    async with working(engine, front_door, tmp_path / "ready"):
        for job in jobs:
            assert isinstance(await job.end(), Succeeded)
    ((name, registration),) = front_door.environments.items()
    assert (tmp_path / "ready").read_text().strip() == name.partition("/")[2]
    assert name.startswith("local/")
    assert "SaveImage" in registration.object_info
    assert registration.is_engine
    ids = [claim.claim_id for claim in front_door.claims]
    assert len(ids) == len(set(ids)) >= 3


async def test_a_worker_that_heard_no_bell_asks_by_itself(
    engine: Bench, front_door: FrontDoorDouble, tmp_path: Path
) -> None:
    async with working(engine, front_door, tmp_path / "ready"):
        await eventually(lambda: len(front_door.claims) >= 3)
        assert isinstance(await front_door.submit(image()).end(), Succeeded)


async def test_a_bell_shortens_the_wait(
    engine: Bench, front_door: FrontDoorDouble, tmp_path: Path
) -> None:
    async with working(engine, front_door, tmp_path / "ready", ask_every_s=60) as worker:
        await eventually(lambda: len(front_door.claims) == 1)
        job = front_door.submit(image())
        worker.bell.set()
        assert isinstance(await job.end(within_s=3), Succeeded)


async def test_a_claim_whose_reply_was_lost_is_repeated_under_its_id(
    engine: Bench, front_door: FrontDoorDouble, tmp_path: Path
) -> None:
    front_door.faults.lose_replies["claims"] = 1
    job = front_door.submit(image())
    async with working(engine, front_door, tmp_path / "ready"):
        assert isinstance(await job.end(), Succeeded)
    assert front_door.claims[0].claim_id == front_door.claims[1].claim_id


async def test_a_worker_outlives_an_outage_at_its_start(
    engine: Bench, front_door: FrontDoorDouble, tmp_path: Path
) -> None:
    front_door.faults.unavailable_until = time.monotonic() + 0.6
    job = front_door.submit(image())
    async with working(engine, front_door, tmp_path / "ready"):
        assert isinstance(await job.end(), Succeeded)


async def test_a_worker_that_is_stopped_hands_its_job_back(
    engine: Bench, front_door: FrontDoorDouble, tmp_path: Path
) -> None:
    job = front_door.submit(steps(200, 0.1))
    async with working(engine, front_door, tmp_path / "ready") as worker:
        await eventually(lambda: bool(job.progress))
        worker.shutdown.set()
        assert await job.end() == Interrupted(restarts=False)


async def test_three_lost_claims_in_a_row_park_the_worker(
    engine: Bench, front_door: FrontDoorDouble, tmp_path: Path
) -> None:
    jobs = [front_door.submit(image(color)) for color in range(5)]
    for job in jobs:
        job.epoch = 2
    async with working(engine, front_door, tmp_path / "ready"):
        await eventually(lambda: sum(bool(job.claimed_at) for job in jobs) == 3)
        await asyncio.sleep(1)
    assert sum(bool(job.claimed_at) for job in jobs) == 3
