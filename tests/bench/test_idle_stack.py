"""G4: how soon an idle worker has claimed what was committed. G14: what front door and worker ask meanwhile."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from redis import Redis

from tests.bench.bare_celery import QUEUE, SAID, TASK, make_bare
from tests.bench.goals import Goals
from tests.running import Running, clean_environment, running

pytestmark = [pytest.mark.bench, pytest.mark.timeout(240)]

ROUNDS, PER_ROUND = 10, 5
PAUSE_S = 0.15
"""Between two jobs: the worker is idle again, and asks by itself only much later."""
G4_GOAL = 4.0
G4_PASS = 12.0
"""A worker that is not woken finds a job a second later or more: some three hundred."""
WATCHED_S = 20.0
G14_GOAL = 2.0
"""Statements a second, one for each of the two processes; the worker asks none but through the other."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """The product as a user starts it, with the leases of production."""
    state = tmp_path_factory.mktemp("idle") / "state"
    with running(state, {"COMFYBURST_LOG_LEVEL": "warning"}) as stack:
        yield stack


@contextmanager
def bare_worker(redis_url: str) -> Generator[Callable[[], float]]:
    """The floor's worker; yields what sends it a task and returns the milliseconds until it began."""
    process = subprocess.Popen(  # noqa: S603 - a module of ours
        [sys.executable, "-m", "tests.bench.bare_celery", redis_url],
        env=clean_environment({}),
        cwd=Path(__file__).parents[2],
        stderr=subprocess.DEVNULL,
    )
    celery: Any = make_bare(redis_url)
    with Redis.from_url(redis_url) as redis:

        def send() -> float:
            sent = time.time()
            celery.send_task(TASK, queue=QUEUE, ignore_result=True)
            answer = cast("tuple[bytes, bytes] | None", redis.brpop([SAID], timeout=30))
            assert answer is not None, "the bare worker does not work"
            return (float(answer[1]) - sent) * 1_000

        try:
            send()  # it has started
            yield send
        finally:
            process.terminate()
            process.wait(15)


def until_claimed(stack: Running, color: int) -> float:
    """Milliseconds between the events of a submit and of its claim, by the clock of Postgres."""
    size = {"width": 8, "height": 8, "batch_size": 1, "color": color}
    job_id = stack.submit(
        {
            "1": {"class_type": "EmptyImage", "inputs": size},
            "2": {
                "class_type": "SaveImage",
                "inputs": {"images": ["1", 0], "filename_prefix": "b"},
            },
        }
    )
    assert stack.job(job_id, wait=30)["status"] == "succeeded"
    [row] = stack.rows(
        """
        select extract(epoch from claimed.at - made.at) * 1000 as ms
        from app.job_events made join app.job_events claimed using (job_id)
        where made.job_id = %(id)s and made.seq = 1 and claimed.seq = 2
        """,
        id=job_id,
    )
    time.sleep(PAUSE_S)
    return float(row["ms"])


def test_an_idle_worker_has_soon_claimed(stack: Running, goals: Goals) -> None:
    services: dict[str, str] = json.loads((stack.state / "services.json").read_text())
    ours: list[float] = []
    bare: list[float] = []
    with bare_worker(services["redis_url"]) as send:
        until_claimed(stack, 0)
        for number in range(ROUNDS):
            first = 1 + number * PER_ROUND
            ours += [until_claimed(stack, color) for color in range(first, first + PER_ROUND)]
            for _ in range(PER_ROUND):
                bare.append(send())
                time.sleep(PAUSE_S)
    ratio = statistics.median(ours) / statistics.median(bare)
    goals.add(
        "G4",
        "commit → claimed by an idle local worker, p50",
        f"{statistics.median(ours):.1f} ms (p95 {sorted(ours)[int(len(ours) * 0.95)]:.1f})",
        floor=f"{statistics.median(bare):.1f} ms, a bare Celery task's start",
        ratio=ratio,
        wanted=f"≤ {G4_GOAL}",
        met=ratio <= G4_GOAL,
    )
    assert ratio <= G4_PASS


def test_an_idle_stack_asks_little(stack: Running, goals: Goals) -> None:
    time.sleep(3.0)  # what the jobs before left to do
    before, began = committed(stack), time.monotonic()
    time.sleep(WATCHED_S)
    asked = committed(stack) - before
    rate = asked / (time.monotonic() - began)
    goals.add(
        "G14",
        "idle front door and worker",
        f"{rate:.2f} statements/s",
        wanted=f"≤ {G14_GOAL}",
        met=rate <= G14_GOAL,
    )
    assert rate <= G14_GOAL


def committed(stack: Running) -> int:
    """Transactions of its database so far: each statement of ours is one. This one comes too late."""
    [row] = stack.rows(
        "select xact_commit + xact_rollback as count from pg_stat_database "
        "where datname = current_database()"
    )
    return row["count"]
