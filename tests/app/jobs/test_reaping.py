"""Leases, deadlines and expiries; and that an outage of ours never costs a running job."""

from uuid import uuid4

from app.jobs.repository.transitions import Fence
from tests.app.conftest import Machine, new_claim


async def test_a_passed_lease_starts_the_job_again(machine: Machine) -> None:
    fence = await machine.start()
    await machine.tick_in_time()
    await machine.let_lease_pass(fence.job_id)
    [moved] = await machine.reaping.reap()
    assert (moved.status, moved.epoch) == ("queued", fence.epoch + 1)
    assert await machine.transitions.succeed(fence, 1, {}) is None, "the old run is fenced"


async def test_a_live_lease_is_left_alone(machine: Machine) -> None:
    await machine.start()
    await machine.tick_in_time()
    assert await machine.reaping.reap() == []


async def test_a_late_tick_extends_every_lease_and_nothing_is_reaped(machine: Machine) -> None:
    fence = await machine.start()
    await machine.let_lease_pass(fence.job_id)
    tick = await machine.reaping.tick("test", ready=True)
    assert (tick.late, tick.extended) == (True, 1)
    assert await machine.reaping.reap() == []
    assert await machine.transitions.succeed(fence, 1, {}) is not None


async def test_a_front_door_that_is_not_ready_reaps_nothing(machine: Machine) -> None:
    fence = await machine.start()
    await machine.tick_in_time()
    await machine.let_lease_pass(fence.job_id)
    tick = await machine.reaping.tick("test", ready=False)
    assert (tick.late, tick.extended) == (True, 1)
    assert await machine.reaping.reap() == []


async def test_the_reaper_itself_refuses_without_a_fresh_tick(machine: Machine) -> None:
    fence = await machine.start()
    await machine.tick_in_time()
    await machine.let_lease_pass(fence.job_id)
    await machine.database.run(
        "update app.maintenance set ticked_at = now() - interval '11 seconds' where name = 'reaper'"
    )
    assert await machine.reaping.reap() == []


async def test_a_workflow_that_kills_every_worker_is_poisoned(machine: Machine) -> None:
    job_id = await machine.submit(max_tries=2)
    for _ in range(2):
        assert await machine.claim() is not None
        await machine.tick_in_time()
        await machine.let_lease_pass(job_id)
        await machine.reaping.reap()
    row = await machine.row(job_id)
    assert (row["status"], row["error"]["code"]) == ("failed", "poisoned")


async def test_a_lost_worker_after_a_reported_failure_is_not_poison(machine: Machine) -> None:
    job_id = await machine.submit(max_tries=2)
    claimed = await machine.claim()
    assert claimed is not None
    error = {"code": "comfyui_crashed", "message": "x"}
    fence = Fence(job_id, claimed.moved.epoch)
    await machine.transitions.fail(fence, 1, error, retryable=True, backoff_s=0)
    assert await machine.claim() is not None
    await machine.tick_in_time()
    await machine.let_lease_pass(job_id)
    await machine.reaping.reap()
    assert (await machine.row(job_id))["error"]["code"] == "lease_expired"


async def test_a_cancel_nobody_answers_is_carried_out_after_the_grace(machine: Machine) -> None:
    fence = await machine.start()
    await machine.transitions.cancel(machine.workspace_id, fence.job_id)
    await machine.tick_in_time()
    assert await machine.reaping.reap() == []
    await machine.database.run(
        "update app.jobs set cancel_requested_at = now() - interval '16 seconds'"
    )
    [moved] = await machine.reaping.reap()
    assert moved.status == "canceled"
    assert await machine.transitions.succeed(fence, 1, {}) is None


async def test_a_passed_deadline_fails_the_job(machine: Machine) -> None:
    fence = await machine.start()
    await machine.database.run("update app.jobs set deadline_at = now() - interval '1 second'")
    await machine.tick_in_time()
    [moved] = await machine.reaping.reap()
    assert moved.status == "failed"
    assert (await machine.row(fence.job_id))["error"]["code"] == "deadline"


async def test_a_job_nobody_started_in_time_expires(machine: Machine) -> None:
    job_id = await machine.submit(start_within_s=0.0)
    await machine.tick_in_time()
    [moved] = await machine.reaping.reap()
    assert (moved.id, moved.status) == (job_id, "expired")


async def test_a_dispatched_job_is_claimed_by_its_own_call_alone(machine: Machine) -> None:
    job_id = await machine.submit(backend="modal")
    dispatch_id = uuid4()
    moved = await machine.transitions.dispatch(
        dispatch_id=dispatch_id, backend="modal", start_timeout_s=60
    )
    assert moved is not None
    assert moved.status == "dispatched"
    assert await machine.claim() is None, "a local worker does not see it"
    assert await machine.claims.dispatched(new_claim(), job_id, uuid4()) is None
    claimed = await machine.claims.dispatched(new_claim(), job_id, dispatch_id)
    assert claimed is not None
    assert await machine.claims.dispatched(new_claim(), job_id, dispatch_id) is None, "lease lives"
    assert await machine.claims.lease_left_s(job_id, dispatch_id) is not None
    await machine.let_lease_pass(job_id)
    again = await machine.claims.dispatched(new_claim(), job_id, dispatch_id)
    assert again is not None
    assert again.moved.epoch == claimed.moved.epoch + 1


async def test_five_calls_that_never_start_are_no_capacity(machine: Machine) -> None:
    job_id = await machine.submit(backend="modal")
    for _ in range(5):
        await machine.transitions.dispatch(dispatch_id=uuid4(), backend="modal", start_timeout_s=60)
        await machine.tick_in_time()
        await machine.let_lease_pass(job_id)
        await machine.reaping.reap()
    row = await machine.row(job_id)
    assert (row["status"], row["error"]["code"]) == ("failed", "capacity")


async def test_cancel_of_a_dispatched_job_marks_its_call(machine: Machine) -> None:
    job_id = await machine.submit(backend="modal")
    dispatch_id = uuid4()
    await machine.transitions.dispatch(dispatch_id=dispatch_id, backend="modal", start_timeout_s=60)
    moved = await machine.transitions.cancel(machine.workspace_id, job_id)
    assert moved is not None
    assert moved.status == "canceled"
    row = await machine.database.one("select cancel_wanted_at from app.job_dispatches")
    assert row is not None
    assert row["cancel_wanted_at"] is not None
    assert await machine.claims.dispatched(new_claim(), job_id, dispatch_id) is None


async def test_a_tick_says_whether_anything_has_passed(machine: Machine) -> None:
    fence = await machine.start()
    await machine.tick_in_time()
    assert not (await machine.reaping.tick("test", ready=True)).due
    await machine.let_lease_pass(fence.job_id)
    assert (await machine.reaping.tick("test", ready=True)).due
    await machine.reaping.reap()
    assert not (await machine.reaping.tick("test", ready=True)).due
    await machine.database.run("update app.jobs set deadline_at = now() - interval '1 second'")
    assert (await machine.reaping.tick("test", ready=True)).due
    await machine.reaping.reap()
    await machine.submit(start_within_s=0.0)
    assert (await machine.reaping.tick("test", ready=True)).due
