"""The worker as a process: `python -m gpu_functions.celery_app`, with and without Redis."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from celery import Celery
from redis import Redis

from gpu_functions.contract import Interrupted, Succeeded
from tests.doubles.front_door import WORKER_TOKEN, FrontDoorDouble, eventually
from tests.gpu_functions.engine import image, steps

ROOT = Path(__file__).parents[2]


@dataclass
class WorkerProcess:
    """A worker and what it wrote."""

    process: asyncio.subprocess.Process
    folder: Path

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Its log; every line must be one JSON object."""
        return [json.loads(line) for line in (self.folder / "log").read_text().splitlines()]

    async def stop(self, within_s: float = 8) -> int:
        """Ask it to end, and wait."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(within_s):
            return await self.process.wait()


@asynccontextmanager
async def worker(
    front_door: FrontDoorDouble, folder: Path, **variables: str
) -> AsyncGenerator[WorkerProcess, None]:
    """Start a worker; the token reaches it through a pipe."""
    read_end, write_end = os.pipe()
    os.write(write_end, WORKER_TOKEN.encode())
    os.close(write_end)
    environ = {
        "PATH": os.environ["PATH"],
        "INTERNAL_URL": front_door.url,
        "COMFYBURST_WORKER_TOKEN_FD": str(read_end),
        "COMFYBURST_WORKER_STATE": str(folder / "state"),
        "COMFYBURST_READY_FILE": str(folder / "ready"),
        "COMFYBURST_PROBES": "1",
        **variables,
    }
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gpu_functions.celery_app",
            env=environ,
            pass_fds=[read_end],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
    os.close(read_end)
    started = WorkerProcess(process, folder)
    try:
        yield started
    finally:
        await started.stop()


async def test_a_worker_process_runs_a_job_and_logs_json(
    front_door: FrontDoorDouble, tmp_path: Path
) -> None:
    job = front_door.submit(image())
    async with worker(front_door, tmp_path) as process:
        assert isinstance(await job.end(), Succeeded)
        assert await process.stop() == 0
    (name,) = front_door.environments
    assert (tmp_path / "ready").read_text().strip() == name.partition("/")[2]
    (ended,) = [line for line in process.lines if line["message"] == "run ended"]
    assert ended["job_id"] == str(job.ticket.job_id)
    assert ended["epoch"] == 1


async def test_sigterm_hands_the_job_back_and_leaves_nothing_running(
    front_door: FrontDoorDouble, tmp_path: Path
) -> None:
    job = front_door.submit(steps(200, 0.1))
    async with worker(front_door, tmp_path) as process:
        await eventually(lambda: bool(job.progress), 20)
        children = psutil.Process(process.process.pid).children(recursive=True)
        started = time.monotonic()
        assert await process.stop() == 0
        assert time.monotonic() - started < 5
    assert job.terminal == Interrupted(restarts=False)
    assert not [child for child in children if child.is_running()]


async def test_a_bell_wakes_a_worker_at_once(
    front_door: FrontDoorDouble, tmp_path: Path, redis_url: str
) -> None:
    celery = Celery("sender", broker=redis_url.replace("unix://", "redis+socket://"))
    celery.conf.broker_transport_options = {"global_keyprefix": "cb:"}
    async with worker(front_door, tmp_path, REDIS_URL=redis_url) as process:
        await eventually(lambda: front_door.faults.requests["claims"] > 0, 20)
        await asyncio.sleep(1.5)  # Celery is connected by then
        claims = len(front_door.claims)
        job = front_door.submit(image())
        started = time.monotonic()
        celery.send_task("cb.run_next", args=["local"], queue="cb.local", ignore_result=True)
        await job.end()
        assert len(front_door.claims) > claims
        assert time.monotonic() - started < 1.5
        assert await process.stop() == 0
    assert process.lines, "quiet, but JSON"
    celery.close()


async def test_garbage_in_redis_costs_no_job_and_the_bell_works_again(
    front_door: FrontDoorDouble, tmp_path: Path, redis_url: str
) -> None:
    redis = Redis.from_url(redis_url)
    job = front_door.submit(steps(25, 0.1))
    async with worker(front_door, tmp_path, REDIS_URL=redis_url) as process:
        await eventually(lambda: bool(job.progress), 20)
        redis.lpush("cb:cb.local", "not json")
        assert isinstance(await job.end(), Succeeded)
        await eventually(lambda: any("bell broke" in line["message"] for line in process.lines))
        await asyncio.sleep(1.5)
        assert redis.llen("cb:cb.local") == 0
        assert process.process.returncode is None
        assert await process.stop() == 0
    redis.close()


async def test_a_worker_works_while_redis_is_away(
    front_door: FrontDoorDouble, tmp_path: Path
) -> None:
    job = front_door.submit(image())
    nowhere = f"unix://{tmp_path}/nowhere"
    async with worker(front_door, tmp_path, REDIS_URL=nowhere) as process:
        assert isinstance(await job.end(), Succeeded)
        assert await process.stop() == 0
    assert process.lines


async def test_a_worker_that_may_not_become_its_user_says_so_and_ends(
    front_door: FrontDoorDouble, tmp_path: Path
) -> None:
    async with worker(front_door, tmp_path, COMFY_USER="no-such-user") as started:
        async with asyncio.timeout(20):
            assert await started.process.wait() == 1
        assert "there is no such user" in started.lines[-1]["message"]
    assert front_door.claims == []
