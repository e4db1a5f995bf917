"""The races named under DESIGN §4's table, on two connections, one of them stopped in the middle."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, LiteralString
from uuid import uuid4

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from app.assets.models import NewOutput
from app.db.postgres import Params
from app.ids import uuid7
from app.jobs.repository.statement import BOUNDS
from app.jobs.repository.transitions import CANCEL, OUTPUT, SUCCEED, Fence
from tests.app.conftest import LEASE_S, Machine, new_claim, new_job, new_worker

ERROR = {"code": "comfyui_crashed", "message": "x"}


@asynccontextmanager
async def uncommitted(
    database_url: str, sql: LiteralString, params: Params
) -> AsyncGenerator[AsyncConnection[Any]]:
    """A statement that has run and is not committed until the block ends."""
    async with await AsyncConnection.connect(database_url) as connection:
        await connection.execute(sql, params)
        yield connection
        await connection.commit()


async def has_to_wait(task: "asyncio.Task[Any]") -> None:
    """The other side is blocked by the uncommitted row, not refused early."""
    await asyncio.sleep(0.15)
    assert not task.done()


async def test_equal_claims_in_parallel_start_one_job(machine: Machine) -> None:
    for _ in range(4):
        await machine.submit()
    claim = new_claim()
    tickets = await asyncio.gather(
        *(machine.claims.next_local(claim, new_worker()) for _ in range(4))
    )
    assert len({t.moved.id for t in tickets if t}) == 1
    running = await machine.database.all("select id from app.jobs where status = 'running'")
    assert len(running) == 1


async def test_different_claims_in_parallel_start_different_jobs(machine: Machine) -> None:
    for _ in range(8):
        await machine.submit()
    tickets = await asyncio.gather(*(machine.claim() for _ in range(8)))
    # A claim may come back empty although work exists: the loser asks again.
    started = [t.moved.id for t in tickets if t]
    assert len(started) == len(set(started))
    assert started


async def test_a_success_behind_an_uncommitted_output_keeps_it(
    machine: Machine, database_url: str
) -> None:
    fence = await machine.start()
    asset_id = uuid7()
    output = NewOutput("9", "a.png", "image", "image/png", 1)
    await machine.outputs.register(fence.job_id, fence.epoch, asset_id, output)
    params = {
        **mine(fence),
        "client_seq": 1,
        "asset_id": asset_id,
        "blake3": None,
        "thumbnail": None,
    }
    async with uncommitted(database_url, OUTPUT, params):
        success = asyncio.create_task(machine.transitions.succeed(fence, 2, {}))
        # Its number is not free yet in its snapshot, and the row is locked: it is refused or waits.
        await asyncio.sleep(0.15)
    if await success is None:
        assert await machine.transitions.succeed(fence, 2, {}) is not None
    row = await machine.row(fence.job_id)
    assert row["status"] == "succeeded"
    assert [o["asset_id"] for o in row["outputs"]] == [str(asset_id)]


async def test_a_cancel_behind_an_uncommitted_success_returns_the_finished_job(
    machine: Machine, database_url: str
) -> None:
    fence = await machine.start()
    params = {**mine(fence), "client_seq": 1, "timings_ms": Jsonb({})}
    async with uncommitted(database_url, SUCCEED, params):
        cancel = asyncio.create_task(machine.transitions.cancel(machine.workspace_id, fence.job_id))
        await has_to_wait(cancel)
    assert await cancel is None
    assert (await machine.row(fence.job_id))["status"] == "succeeded"


async def test_a_success_behind_an_uncommitted_cancel_becomes_canceled(
    machine: Machine, database_url: str
) -> None:
    fence = await machine.start()
    params = {"id": fence.job_id, "workspace_id": machine.workspace_id}
    async with uncommitted(database_url, CANCEL, params):
        success = asyncio.create_task(machine.transitions.succeed(fence, 1, {}))
        await has_to_wait(success)
    moved = await success
    assert moved is not None
    assert moved.status == "canceled"


async def test_a_retry_behind_an_uncommitted_cancel_becomes_canceled(
    machine: Machine, database_url: str
) -> None:
    fence = await machine.start()
    params = {"id": fence.job_id, "workspace_id": machine.workspace_id}
    async with uncommitted(database_url, CANCEL, params):
        retry = asyncio.create_task(
            machine.transitions.fail(fence, 1, ERROR, retryable=True, backoff_s=0)
        )
        await has_to_wait(retry)
    moved = await retry
    assert moved is not None
    assert moved.status == "canceled"


async def test_the_reaper_does_not_wait_for_a_row_in_use(
    machine: Machine, database_url: str
) -> None:
    fence = await machine.start()
    await machine.tick_in_time()
    await machine.let_lease_pass(fence.job_id)
    params = {**mine(fence), "client_seq": 1, "timings_ms": Jsonb({})}
    async with uncommitted(database_url, SUCCEED, params):
        assert await machine.reaping.reap() == []
    assert (await machine.row(fence.job_id))["status"] == "succeeded"


async def test_two_reapers_move_a_job_once(machine: Machine) -> None:
    fence = await machine.start()
    await machine.tick_in_time()
    await machine.let_lease_pass(fence.job_id)
    first, second = await asyncio.gather(machine.reaping.reap(), machine.reaping.reap())
    assert len(first) + len(second) == 1


async def test_an_external_id_that_comes_late_still_finds_its_call(machine: Machine) -> None:
    job_id = await machine.submit(backend="modal")
    dispatch_id = uuid4()
    await machine.transitions.dispatch(dispatch_id=dispatch_id, backend="modal", start_timeout_s=60)
    await machine.transitions.cancel(machine.workspace_id, job_id)
    assert await machine.transitions.store_external_id(dispatch_id, "fc-1") is True
    row = await machine.database.one("select * from app.job_dispatches")
    assert row is not None
    assert row["external_id"] == "fc-1"


async def test_equal_submits_in_parallel_make_one_job(machine: Machine) -> None:
    jobs = [new_job(machine.workspace_id, idempotency_key="k") for _ in range(6)]
    rows = await asyncio.gather(*(machine.transitions.submit(job) for job in jobs))
    assert len([row for row in rows if row]) == 1


def mine(fence: Fence) -> dict[str, Any]:
    return {**BOUNDS, "id": fence.job_id, "epoch": fence.epoch, "lease_s": LEASE_S}
