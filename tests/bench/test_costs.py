"""What guards and promises cost the statements that carry them, each beside the same without it."""

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from uuid import UUID

import pytest

from app.db.postgres import open_database
from app.ids import uuid7
from app.jobs.repository.ready import ReadyRepository
from app.jobs.repository.transitions import Fence
from tests.app.conftest import Machine, machine_of, new_claim, new_worker
from tests.bench.goals import Goals
from tests.bench.history import QUEUED

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

ROUNDS = 150
PASS = 3.0
NO_LIMIT_REACHED = 1_000_000

Work = Callable[[], Awaitable[float]]


async def in_turn(subject: Work, floor: Work) -> tuple[float, float]:
    """Median milliseconds of both."""
    taken: list[tuple[float, float]] = [(await subject(), await floor()) for _ in range(ROUNDS)]
    ours, bare = zip(*taken[10:], strict=True)
    return statistics.median(ours), statistics.median(bare)


async def started(machine: Machine, *, max_running: int | None) -> tuple[float, Fence]:
    """Submit and claim; what the claim took, and what it gave."""
    await machine.submit()
    claims = replace(machine.claims, max_running=max_running)
    worker = new_worker([machine.workspace_id])
    began = time.perf_counter()
    claimed = await claims.next_local(new_claim(), worker)
    taken = time.perf_counter() - began
    assert claimed is not None
    return taken * 1_000, Fence(claimed.moved.id, claimed.moved.epoch)


async def ended(machine: Machine) -> float:
    """What the end of a job took."""
    _, fence = await started(machine, max_running=None)
    began = time.perf_counter()
    assert await machine.transitions.succeed(fence, 1, {}) is not None
    return (time.perf_counter() - began) * 1_000


async def test_what_a_limit_of_runs_costs_a_claim(long_history: str, goals: Goals) -> None:
    async with open_database(long_history, size=2) as database:
        machine = await machine_of(database, "bench-0")

        async def claim(max_running: int | None) -> float:
            taken, fence = await started(machine, max_running=max_running)
            assert await machine.transitions.succeed(fence, 1, {}) is not None
            return taken

        with_it, without = await in_turn(lambda: claim(NO_LIMIT_REACHED), lambda: claim(None))
    show(goals, "claim with COMFYBURST_MAX_RUNNING", with_it, without, "without")


async def test_what_a_webhook_costs_the_end_of_a_job(long_history: str, goals: Goals) -> None:
    async with open_database(long_history, size=2) as database:
        machine = await machine_of(database, "told")
        silent = await machine_of(database, "not-told")
        await database.run(
            "insert into app.webhook_endpoints (id, workspace_id, url, events, secret) "
            "values (%(id)s, %(workspace_id)s, 'https://example.com/hook', '{*}', 'x')",
            {"id": uuid7(), "workspace_id": machine.workspace_id},
        )
        with_it, without = await in_turn(lambda: ended(machine), lambda: ended(silent))
        told = await database.one(
            "select count(*) as count from app.webhook_deliveries where workspace_id = %(id)s",
            {"id": machine.workspace_id},
        )
    assert told is not None
    assert told["count"] == ROUNDS
    show(goals, "success with a webhook", with_it, without, "without")


async def test_what_counting_the_queue_costs(long_history: str, goals: Goals) -> None:
    """Once a second for each workspace that submits, beside the count of an empty queue."""
    async with open_database(long_history, size=2) as database:
        ready = ReadyRepository(database)
        full = await machine_of(database, "bench-0")
        empty = await machine_of(database, "bench-1")

        async def count(workspace_id: UUID) -> float:
            began = time.perf_counter()
            await ready.waiting(workspace_id, at_most=10_000)
            return (time.perf_counter() - began) * 1_000

        with_it, without = await in_turn(
            lambda: count(full.workspace_id), lambda: count(empty.workspace_id)
        )
    goals.add(
        "",
        f"count of {QUEUED:,} waiting jobs, once a second",
        f"{with_it:.2f} ms",
        floor=f"{without:.2f} ms, of none",
        ratio=with_it / without,
    )


def show(goals: Goals, what: str, with_it: float, without: float, floor: str) -> None:
    """A cost, and its guard."""
    ratio = with_it / without
    goals.add("", what, f"{with_it:.2f} ms", floor=f"{without:.2f} ms, {floor}", ratio=ratio)
    assert ratio <= PASS
