"""What each statement of DESIGN §4 does and refuses."""

from uuid import UUID, uuid4

from app.assets.models import NewOutput
from app.assets.repository.assets import AssetRepository
from app.ids import uuid7
from app.jobs.repository.transitions import Fence
from tests.app.conftest import Machine, machine_of, new_claim, new_job, new_worker

ERROR = {"code": "node_error", "message": "boom"}


async def test_submit_writes_the_job_and_its_first_event(machine: Machine) -> None:
    job_id = await machine.submit()
    row = await machine.row(job_id)
    assert (row["status"], row["seq"], row["epoch"], row["tries"]) == ("queued", 1, 0, 0)
    assert await machine.statuses(job_id) == ["queued"]


async def test_a_taken_idempotency_key_writes_nothing(machine: Machine) -> None:
    await machine.submit(idempotency_key="k", request_hash=b"h")
    again = new_job(machine.workspace_id, idempotency_key="k", request_hash=b"h")
    assert await machine.transitions.submit(again) is None
    rows = await machine.database.all("select id from app.jobs")
    assert len(rows) == 1


async def test_idempotency_keys_of_two_workspaces_do_not_meet(machine: Machine) -> None:
    other = await machine_of(machine.database, "other")
    await machine.submit(idempotency_key="k")
    await other.submit(idempotency_key="k")


async def test_a_claim_means_running(machine: Machine) -> None:
    fence = await machine.start()
    row = await machine.row(fence.job_id)
    assert (row["status"], row["tries"], row["epoch"]) == ("running", 1, 1)
    assert row["lease_expires_at"] is not None
    assert row["deadline_at"] is not None
    assert await machine.statuses(fence.job_id) == ["queued", "running"]


async def test_a_claim_without_ready_jobs_is_empty(machine: Machine) -> None:
    assert await machine.claim() is None


async def test_a_claim_takes_only_its_environment_and_workspaces(machine: Machine) -> None:
    await machine.submit(environment="other")
    assert await machine.claim() is None
    await machine.submit()
    assert await machine.claim(workspaces=[uuid4()]) is None
    assert await machine.claim(workspaces=[machine.workspace_id]) is not None


async def test_priority_goes_first_inside_a_workspace(machine: Machine) -> None:
    await machine.submit()
    urgent = await machine.submit(priority=5)
    claimed = await machine.claim()
    assert claimed is not None
    assert claimed.moved.id == urgent


async def test_workspaces_take_turns_whatever_their_priorities(machine: Machine) -> None:
    other = await machine_of(machine.database, "other")
    for _ in range(3):
        await machine.submit(priority=9)
    theirs = await other.submit()
    first, second = await machine.claim(), await machine.claim()
    assert first is not None
    assert second is not None
    assert theirs in {first.moved.id, second.moved.id}


async def test_the_same_claim_again_gets_the_same_ticket(machine: Machine) -> None:
    job_id = await machine.submit()
    await machine.submit()
    claim = new_claim()
    first = await machine.claims.next_local(claim, new_worker())
    again = await machine.claims.next_local(claim, new_worker())
    assert first is not None
    assert again is not None
    assert (again.moved.id, again.moved.epoch) == (job_id, first.moved.epoch)
    assert (await machine.row(job_id))["tries"] == 1


async def test_the_same_claim_after_its_lease_gets_nothing(machine: Machine) -> None:
    job_id = await machine.submit()
    claim = new_claim()
    await machine.claims.next_local(claim, new_worker())
    await machine.let_lease_pass(job_id)
    assert await machine.claims.next_local(claim, new_worker()) is None


async def test_a_worker_runs_no_more_than_its_slots(machine: Machine) -> None:
    for _ in range(4):
        await machine.submit()
    worker = new_worker(slots=2)
    first = await machine.claims.next_local(new_claim(), worker)
    assert first is not None
    assert await machine.claims.next_local(new_claim(), worker) is not None
    assert await machine.claims.next_local(new_claim(), worker) is None, "both slots are taken"
    assert await machine.claim() is not None, "another worker has room"
    await machine.transitions.succeed(Fence(first.moved.id, first.moved.epoch), 1, {})
    assert await machine.claims.next_local(new_claim(), worker) is not None


async def test_a_run_whose_lease_passed_takes_no_slot(machine: Machine) -> None:
    job_id = await machine.submit()
    await machine.submit()
    worker = new_worker()
    assert await machine.claims.next_local(new_claim(), worker) is not None
    await machine.let_lease_pass(job_id)
    assert await machine.claims.next_local(new_claim(), worker) is not None


async def test_success_ends_the_job_its_attempt_and_its_secrets(machine: Machine) -> None:
    await machine.submit(secrets=b"sealed")
    claimed = await machine.claim()
    assert claimed is not None
    assert claimed.secrets == b"sealed"
    fence = Fence(claimed.moved.id, 1)
    moved = await machine.transitions.succeed(fence, 1, {"execution": 5})
    assert moved is not None
    assert moved.is_terminal
    attempt = await machine.database.one("select * from app.job_attempts")
    assert attempt is not None
    assert (attempt["outcome"], attempt["reported"]) == ("succeeded", True)
    assert attempt["timings_ms"] == {"execution": 5}
    assert await machine.database.all("select 1 from app.job_secrets") == []


async def test_a_number_is_taken_once_and_in_order(machine: Machine) -> None:
    fence = await machine.start()
    line = {"level": "info", "message": "x"}
    assert await machine.transitions.log(fence, 2, line) is None
    assert await machine.transitions.log(fence, 1, line) is not None
    assert await machine.transitions.log(fence, 1, line) is None
    assert await machine.transitions.log(fence, 2, line) is not None


async def test_every_write_of_an_older_epoch_is_refused(machine: Machine) -> None:
    fence = await machine.start()
    stale = Fence(fence.job_id, fence.epoch - 1)
    before = await machine.row(fence.job_id)
    assert await machine.transitions.progress(stale, {"value": 1}) is None
    assert await machine.transitions.log(stale, 1, {"message": "x"}) is None
    assert await machine.transitions.output(stale, 1, uuid4(), None) is None
    assert await machine.transitions.succeed(stale, 1, {}) is None
    assert await machine.transitions.fail(stale, 1, ERROR, retryable=True, backoff_s=1) is None
    assert await machine.transitions.canceled(stale, 1) is None
    assert await machine.transitions.interrupt(stale, 1, ERROR, restarts=False) is None
    assert await machine.row(fence.job_id) == before


async def test_progress_renews_the_lease_and_writes_no_event(machine: Machine) -> None:
    fence = await machine.start()
    before = await machine.row(fence.job_id)
    kept = await machine.transitions.progress(fence, {"value": 0.5})
    assert kept is not None
    assert kept[1] is False
    row = await machine.row(fence.job_id)
    assert row["progress"] == {"value": 0.5}
    assert row["lease_expires_at"] > before["lease_expires_at"]
    assert row["seq"] == before["seq"]


async def test_progress_is_stored_once_a_second(machine: Machine) -> None:
    fence = await machine.start()
    await machine.transitions.progress(fence, {"value": 0.1})
    await machine.transitions.progress(fence, {"value": 0.2})
    assert (await machine.row(fence.job_id))["progress"] == {"value": 0.1}


async def test_an_infra_failure_starts_again_after_a_pause(machine: Machine) -> None:
    fence = await machine.start()
    moved = await machine.transitions.fail(fence, 1, ERROR, retryable=True, backoff_s=60)
    assert moved is not None
    row = await machine.row(fence.job_id)
    assert (row["status"], row["epoch"], row["error"]) == ("queued", 2, None)
    assert await machine.claim() is None, "the pause has not passed"
    events = await machine.events(fence.job_id)
    assert events[-1]["data"]["retry"] == ERROR


async def test_an_infra_failure_without_starts_left_is_final(machine: Machine) -> None:
    await machine.submit(max_tries=1)
    claimed = await machine.claim()
    assert claimed is not None
    fence = Fence(claimed.moved.id, claimed.moved.epoch)
    moved = await machine.transitions.fail(fence, 1, ERROR, retryable=True, backoff_s=0)
    assert moved is not None
    assert moved.status == "failed"
    assert (await machine.row(fence.job_id))["error"] == ERROR


async def test_a_user_failure_is_final_at_once(machine: Machine) -> None:
    fence = await machine.start()
    moved = await machine.transitions.fail(fence, 1, ERROR, retryable=False, backoff_s=0)
    assert moved is not None
    assert moved.status == "failed"


async def test_a_job_given_back_is_not_charged_with_a_try(machine: Machine) -> None:
    await machine.submit(max_tries=1)
    for _ in range(3):
        claimed = await machine.claim()
        assert claimed is not None
        fence = Fence(claimed.moved.id, claimed.moved.epoch)
        moved = await machine.transitions.interrupt(fence, 1, ERROR, restarts=False)
        assert moved is not None
        assert moved.status == "queued"


async def test_a_job_interrupted_too_often_fails(machine: Machine) -> None:
    job_id = await machine.submit()
    await machine.database.run("update app.jobs set interruptions = 10, tries = 10")
    claimed = await machine.claim()
    assert claimed is not None
    fence = Fence(job_id, claimed.moved.epoch)
    moved = await machine.transitions.interrupt(fence, 1, ERROR, restarts=False)
    assert moved is not None
    assert moved.status == "failed"


async def test_cancel_of_a_queued_job_ends_it_at_once(machine: Machine) -> None:
    job_id = await machine.submit()
    moved = await machine.transitions.cancel(machine.workspace_id, job_id)
    assert moved is not None
    assert moved.status == "canceled"
    assert await machine.claim() is None


async def test_cancel_of_a_running_job_asks_its_executor(machine: Machine) -> None:
    fence = await machine.start()
    moved = await machine.transitions.cancel(machine.workspace_id, fence.job_id)
    assert moved is not None
    assert moved.status == "running"
    kept = await machine.transitions.progress(fence, None)
    assert kept is not None
    assert kept[1] is True
    assert (await machine.statuses(fence.job_id))[-1] == "canceling"
    assert await machine.transitions.canceled(fence, 1) is not None
    assert (await machine.statuses(fence.job_id))[-1] == "canceled"


async def test_every_ending_of_a_job_being_canceled_is_canceled(machine: Machine) -> None:
    for ending in ("succeed", "fail", "interrupt"):
        fence = await machine.start()
        await machine.transitions.cancel(machine.workspace_id, fence.job_id)
        if ending == "succeed":
            moved = await machine.transitions.succeed(fence, 1, {})
        elif ending == "fail":
            moved = await machine.transitions.fail(fence, 1, ERROR, retryable=True, backoff_s=0)
        else:
            moved = await machine.transitions.interrupt(fence, 1, ERROR, restarts=True)
        assert moved is not None
        assert moved.status == "canceled", ending


async def test_cancel_again_or_of_anothers_job_changes_nothing(machine: Machine) -> None:
    fence = await machine.start()
    assert await machine.transitions.cancel(uuid4(), fence.job_id) is None
    assert await machine.transitions.cancel(machine.workspace_id, fence.job_id) is not None
    assert await machine.transitions.cancel(machine.workspace_id, fence.job_id) is None


async def test_canceled_without_a_request_is_refused(machine: Machine) -> None:
    fence = await machine.start()
    assert await machine.transitions.canceled(fence, 1) is None


async def register(machine: Machine, fence: Fence, name: str = "a.png") -> UUID:
    asset_id = uuid7()
    output = NewOutput("9", name, "image", "image/png", 10)
    key = await machine.outputs.register(fence.job_id, fence.epoch, asset_id, output)
    assert key == f"{machine.workspace_id}/{fence.job_id}/{fence.epoch}/{asset_id}"
    return asset_id


async def test_an_output_joins_the_manifest_and_the_log(machine: Machine) -> None:
    fence = await machine.start()
    asset_id = await register(machine, fence)
    assert await machine.transitions.output(fence, 1, asset_id, "ab" * 32) is not None
    row = await machine.row(fence.job_id)
    assert [(o["asset_id"], o["name"]) for o in row["outputs"]] == [(str(asset_id), "a.png")]
    assert (await machine.events(fence.job_id))[-1]["type"] == "output"
    asset = await AssetRepository(machine.database).get(machine.workspace_id, asset_id)
    assert asset is not None
    assert asset.hash == "blake3:" + "ab" * 32


async def test_an_announced_hash_is_shown_but_never_dedupes(machine: Machine) -> None:
    fence = await machine.start()
    asset_id = await register(machine, fence)
    await machine.transitions.output(fence, 1, asset_id, "ab" * 32)
    blob = await AssetRepository(machine.database).lease(
        machine.workspace_id, bytes.fromhex("ab" * 32)
    )
    assert blob is None


async def test_an_output_is_announced_once(machine: Machine) -> None:
    fence = await machine.start()
    asset_id = await register(machine, fence)
    assert await machine.transitions.output(fence, 1, asset_id, None) is not None
    assert await machine.transitions.output(fence, 2, asset_id, None) is None


async def test_outputs_of_an_earlier_run_disappear(machine: Machine) -> None:
    fence = await machine.start()
    asset_id = await register(machine, fence)
    await machine.transitions.output(fence, 1, asset_id, None)
    await machine.transitions.fail(fence, 2, ERROR, retryable=True, backoff_s=0)
    assert (await machine.row(fence.job_id))["outputs"] == []
    assets = AssetRepository(machine.database)
    assert await assets.get(machine.workspace_id, asset_id) is None
    again = await machine.claim()
    assert again is not None
    new_fence = Fence(fence.job_id, again.moved.epoch)
    assert await machine.transitions.output(new_fence, 1, asset_id, None) is None


async def test_a_fenced_run_registers_nothing(machine: Machine) -> None:
    fence = await machine.start()
    output = NewOutput("9", "a.png", "image", "image/png", 10)
    key = await machine.outputs.register(fence.job_id, fence.epoch + 1, uuid7(), output)
    assert key is None
