"""A random walk over the SQL: whatever happens in whatever order, the promises hold.

Every rule calls the real statements on a real Postgres. Clocks are moved by editing rows, so that
leases pass without waiting. After every step the invariants are read back from the rows.
"""

import asyncio
from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any, TypeVar, cast
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from app.assets.models import NewOutput
from app.db.postgres import open_database
from app.ids import uuid7
from app.jobs.models import Moved
from app.jobs.repository.transitions import Fence
from app.jobs.transitions import LEGAL, TERMINAL, Status
from tests.app.conftest import Machine, machine_of, new_claim

T = TypeVar("T")
NOTHING: Any = cast(Any, multiple())
ERROR = {"code": "comfyui_crashed", "message": "x"}


class Loop:
    """An event loop that stays open between rules, with a database in it."""

    def __init__(self, url: str) -> None:
        self.loop = asyncio.new_event_loop()
        self.opened = open_database(url, size=2)
        database = self.run(self.opened.__aenter__())
        self.run(database.run("truncate app.workspaces cascade"))
        self.machine = self.run(machine_of(database))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        self.run(self.opened.__aexit__(None, None, None))
        self.loop.close()


class JobMachine(RuleBasedStateMachine):
    """Jobs, executors (also dead and stale ones), callers, the reaper."""

    jobs = Bundle("jobs")
    runs = Bundle("runs")
    database_url = ""

    @initialize()
    def begin(self) -> None:
        self.seen: dict[UUID, tuple[Status, int]] = {}
        self.cancel_accepted: set[UUID] = set()
        self.next_seq: dict[Fence, int] = {}

    def __init__(self) -> None:
        super().__init__()
        self.loop = Loop(self.database_url)
        self.machine: Machine = self.loop.machine
        self.run = self.loop.run

    def teardown(self) -> None:
        self.loop.close()

    @rule(target=jobs, backend=st.sampled_from(["local", "modal"]), tries=st.integers(1, 3))
    def submit(self, backend: str, tries: int) -> UUID:
        return self.run(self.machine.submit(backend=backend, max_tries=tries))

    @rule(target=runs, tries=st.integers(1, 3))
    def submit_and_claim(self, tries: int) -> Any:
        """Feeds the walk with live runs; the job that starts may be another that waited."""
        self.run(self.machine.submit(max_tries=tries))
        return self.claim()

    @rule(target=runs)
    def claim_next(self) -> Any:
        return self.claim()

    def claim(self) -> Any:
        claimed = self.run(self.machine.claim())
        return self._started(claimed.moved) if claimed else NOTHING

    @rule(target=runs, lost=st.booleans())
    def dispatch_and_claim(self, *, lost: bool) -> Any:
        dispatch_id = uuid4()
        moved = self.run(
            self.machine.transitions.dispatch(
                dispatch_id=dispatch_id, backend="modal", start_timeout_s=60
            )
        )
        if moved is None or lost:
            return NOTHING
        claimed = self.run(self.machine.claims.dispatched(new_claim(), moved.id, dispatch_id))
        return self._started(claimed.moved) if claimed else NOTHING

    @rule(fence=runs, replay=st.booleans())
    def log(self, fence: Fence, *, replay: bool) -> None:
        self._write(
            fence,
            lambda n: self.machine.transitions.log(fence, n, {"level": "info", "message": "x"}),
            replay=replay,
        )

    @rule(fence=runs)
    def heartbeat(self, fence: Fence) -> None:
        kept = self.run(self.machine.transitions.progress(fence, {"value": 0.5}))
        assert kept is None or kept[0].epoch == fence.epoch, "a stale heartbeat was taken"

    @rule(fence=runs)
    def output(self, fence: Fence) -> None:
        asset_id = uuid7()
        new = NewOutput("9", f"{asset_id}.png", "image", "image/png", 1)
        if self.run(self.machine.outputs.register(fence.job_id, fence.epoch, asset_id, new)):
            self._write(fence, lambda n: self.machine.transitions.output(fence, n, asset_id, None))

    @rule(fence=runs, replay=st.booleans())
    def succeed(self, fence: Fence, *, replay: bool) -> None:
        self._write(fence, lambda n: self.machine.transitions.succeed(fence, n, {}), replay=replay)

    @rule(fence=runs, retryable=st.booleans())
    def fail(self, fence: Fence, *, retryable: bool) -> None:
        self._write(
            fence,
            lambda n: self.machine.transitions.fail(
                fence, n, ERROR, retryable=retryable, backoff_s=0
            ),
        )

    @rule(fence=runs, restarts=st.booleans())
    def interrupt(self, fence: Fence, *, restarts: bool) -> None:
        self._write(
            fence,
            lambda n: self.machine.transitions.interrupt(fence, n, ERROR, restarts=restarts),
        )

    @rule(fence=runs)
    def acknowledge_cancel(self, fence: Fence) -> None:
        self._write(fence, lambda n: self.machine.transitions.canceled(fence, n))

    @rule(job=jobs)
    def cancel(self, job: UUID) -> None:
        if self.run(self.machine.transitions.cancel(self.machine.workspace_id, job)):
            self.cancel_accepted.add(job)

    @rule(fence=consumes(runs))
    def executor_dies(self, fence: Fence) -> None:
        """It never speaks again; its lease passes."""
        self.run(self.machine.let_lease_pass_if_live(fence.job_id))

    @rule(job=jobs)
    def lease_passes(self, job: UUID) -> None:
        """The executor lives and does not know."""
        self.run(self.machine.let_lease_pass_if_live(job))

    @rule()
    def reap(self) -> None:
        self.run(self.machine.reap_without_extending())

    @rule()
    def reap_after_an_outage(self) -> None:
        assert self.run(self.machine.reaping.tick("test", ready=False)).late
        live = self.run(
            self.machine.database.all(
                "select 1 from app.jobs where lease_expires_at < now() + interval '29 seconds'"
            )
        )
        assert live == [], "a late tick gives every live job a whole lease"

    @invariant()
    def promises_hold(self) -> None:
        for row in self.run(self.machine.database.all("select * from app.jobs")):
            events = self.run(self.machine.events(row["id"]))
            self._check(row, events)

    def _check(self, row: dict[str, Any], events: list[dict[str, Any]]) -> None:
        status = Status(row["status"])
        assert [e["seq"] for e in events] == list(range(1, row["seq"] + 1)), "seq is dense"
        assert all(a["epoch"] <= b["epoch"] for a, b in pairwise(events))
        ends = [e for e in events if e["type"] == "status" and e["data"]["status"] in TERMINAL]
        assert len(ends) == (1 if status in TERMINAL else 0), "one terminal event, and only then"
        assert not ends or ends[0] is events[-1], "nothing after the end"
        assert row["tries"] - row["interruptions"] <= row["max_tries"]
        assert all(o["size_bytes"] == 1 for o in row["outputs"])
        if row["id"] in self.cancel_accepted:
            assert status != Status.SUCCEEDED, "a cancel answered 2xx never ends in succeeded"
        before = self.seen.get(row["id"])
        if before and before[0] != status and status not in LEGAL[before[0]]:
            # Two moves may lie between two looks, but a terminal row never changes.
            assert before[0] not in TERMINAL
        assert not before or row["epoch"] >= before[1]
        self.seen[row["id"]] = (status, row["epoch"])

    def _started(self, moved: Moved) -> Fence:
        fence = Fence(moved.id, moved.epoch)
        self.next_seq[fence] = 1
        return fence

    def _write(
        self,
        fence: Fence,
        write: Callable[[int], Coroutine[Any, Any, Moved | None]],
        *,
        replay: bool = False,
    ) -> None:
        number = self.next_seq[fence] - (1 if replay else 0)
        before = self.run(self.machine.row(fence.job_id))
        moved = self.run(write(number))
        if moved is None:
            assert self.run(self.machine.row(fence.job_id)) == before, "a refused write wrote"
            return
        assert not replay, "a number was taken twice"
        assert before["epoch"] == fence.epoch, "a stale write was taken"
        assert before["status"] == "running"
        self.next_seq[fence] += 1


@pytest.mark.timeout(110)
def test_any_order_of_events_keeps_the_promises(database_url: str) -> None:
    class OnThisDatabase(JobMachine):
        pass

    OnThisDatabase.database_url = database_url
    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(
            max_examples=50,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
