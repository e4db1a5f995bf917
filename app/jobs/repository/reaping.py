"""What time does to jobs: leases, deadlines and expiries that have passed, and the reaper's tick.

An outage of ours never costs a running job: a tick that comes late gives every live job a whole
lease again and reaps nothing, and no statement here acts without a fresh tick (DESIGN §4).
"""

from dataclasses import dataclass
from typing import Any, LiteralString

from app.db.postgres import Database
from app.jobs.models import Moved
from app.jobs.repository.statement import BOUNDS, returning, status_event, transition
from app.jobs.repository.transitions import moved

# The tick and the leases it may have to extend are one statement: had we died between two, the
# next tick would be fresh and would reap jobs whose executors were only waiting for us.
TICK: LiteralString = """
with before as (
    select ticked_at, ticked_at < now() - make_interval(secs => %(gap_s)s) or not %(ready)s as late
    from app.maintenance where name = 'reaper' for update
), ticked as (
    update app.maintenance m set ticked_at = now(), holder = %(holder)s
    from before where m.name = 'reaper' returning before.late
), extended as (
    update app.jobs j set lease_expires_at = greatest(j.lease_expires_at, now() + make_interval(
        secs => case j.status when 'running' then %(lease_s)s else %(start_timeout_s)s end))
    from ticked where ticked.late and j.status in ('dispatched', 'running')
    returning j.id
)
select late, (select count(*) from extended) as extended,
    exists (select 1 from app.jobs j where j.status in ('dispatched', 'running')
        and (j.lease_expires_at < now() or j.cancel_requested_at
             < now() - make_interval(secs => %(cancel_grace_s)s)))
    or exists (select 1 from app.jobs j
        where j.status in ('queued', 'dispatched', 'running') and j.deadline_at < now())
    or exists (select 1 from app.jobs j
        where j.status in ('queued', 'dispatched') and j.start_by < now()) as due
from ticked
"""

_FRESH: LiteralString = """exists (select 1 from app.maintenance
    where name = 'reaper' and ticked_at > now() - make_interval(secs => %(gap_s)s))"""
_COUNTED: LiteralString = "j.tries - j.interruptions"

_AFTER_LEASE: LiteralString = f"""case when j.cancel_requested_at is not null then 'canceled'
    when j.status = 'dispatched' and j.unclaimed_dispatches >= %(max_unclaimed_dispatches)s then 'failed'
    when j.status = 'running' and {_COUNTED} >= j.max_tries then 'failed' else 'queued' end"""
_LEASE_CODE: LiteralString = """case when j.status = 'dispatched' then 'capacity'
    when exists (select 1 from app.job_attempts a where a.job_id = j.id and a.reported)
    then 'lease_expired' else 'poisoned' end"""
_LEASE_MESSAGE: LiteralString = """case when j.status = 'dispatched'
    then %(max_unclaimed_dispatches)s::text || ' calls were made and none of them started: no capacity. Try again later or allow another GPU.'
    when exists (select 1 from app.job_attempts a where a.job_id = j.id and a.reported)
    then 'The worker stopped answering and no start is left.'
    else 'Every start of this job ended without a word from its worker: the workflow probably kills its process.' end"""

REAP_LEASES = transition(
    f"""update app.jobs j set seq = j.seq + 1, epoch = j.epoch + 1, lease_expires_at = null,
        status = {_AFTER_LEASE},
        ended_at = case {_AFTER_LEASE} when 'queued' then null else now() end,
        outputs = case {_AFTER_LEASE} when 'queued' then '[]' else j.outputs end,
        error = case {_AFTER_LEASE} when 'failed'
            then jsonb_build_object('code', {_LEASE_CODE}, 'message', {_LEASE_MESSAGE}) end
    from passed where j.id = passed.id
    {
        returning(
            status_event(
                "'retry', case when j.status = 'queued' then jsonb_build_object("
                "'code', 'lease_expired', 'message', 'The worker stopped answering.') end"
            ),
            attempt="j.epoch - 1",
            outcome="'lease_expired'",
        )
    }""",
    before=f"""passed as (
        select id from app.jobs j
        where j.status in ('dispatched', 'running') and {_FRESH}
          and j.lease_expires_at < now() - make_interval(secs =>
              case when j.status = 'running' and j.dispatch_id is not null
                   then %(rescheduled_grace_s)s else 0 end)
        order by j.lease_expires_at limit %(reap_batch)s for update skip locked
    ),""",
)

# A running job that was asked to cancel and whose executor has not answered in time.
REAP_CANCELS = transition(
    f"""update app.jobs j set seq = j.seq + 1, epoch = j.epoch + 1, lease_expires_at = null,
        status = 'canceled', ended_at = now()
    from passed where j.id = passed.id
    {returning(status_event(), attempt="j.epoch - 1", outcome="'canceled'")}""",
    before=f"""passed as (
        select id from app.jobs j
        where j.status = 'running' and {_FRESH}
          and j.cancel_requested_at < now() - make_interval(secs => %(cancel_grace_s)s)
        limit %(reap_batch)s for update skip locked
    ),""",
)

REAP_DEADLINES = transition(
    f"""update app.jobs j set seq = j.seq + 1, epoch = j.epoch + 1, lease_expires_at = null,
        ended_at = now(),
        status = case when j.cancel_requested_at is null then 'failed' else 'canceled' end,
        error = case when j.cancel_requested_at is null then jsonb_build_object('code', 'deadline',
            'message', 'The job did not end within its deadline of ' || j.deadline_s || ' s.') end
    from passed where j.id = passed.id
    {returning(status_event(), attempt="j.epoch - 1", outcome="'deadline'")}""",
    before=f"""passed as (
        select id from app.jobs j
        where j.status in ('queued', 'dispatched', 'running') and j.deadline_at < now() and {_FRESH}
        limit %(reap_batch)s for update skip locked
    ),""",
)

REAP_EXPIRED = transition(
    f"""update app.jobs j set seq = j.seq + 1, epoch = j.epoch + 1, lease_expires_at = null,
        status = 'expired', ended_at = now()
    from passed where j.id = passed.id
    {returning(status_event())}""",
    before=f"""passed as (
        select id from app.jobs j
        where j.status in ('queued', 'dispatched') and j.tries = 0 and j.start_by < now() and {_FRESH}
        order by j.start_by limit %(reap_batch)s for update skip locked
    ),""",
)

ALL_REAPS = (REAP_CANCELS, REAP_DEADLINES, REAP_LEASES, REAP_EXPIRED)


@dataclass(frozen=True, slots=True)
class Tick:
    """What a tick found."""

    late: bool
    """Its predecessor is too old: nothing may be reaped now."""
    extended: int
    """Leases that were therefore made whole."""
    due: bool
    """Something has passed; while nothing has, a tick is all the reaper costs."""


@dataclass(frozen=True, slots=True)
class ReapingRepository:
    """Acts on what has passed."""

    database: Database
    lease_s: float
    start_timeout_s: float
    cancel_grace_s: float

    @property
    def gap_s(self) -> float:
        """A tick older than this is late."""
        return self.lease_s / 3

    async def tick(self, holder: str, *, ready: bool) -> Tick:
        """Tick, and extend every lease where it came late."""
        row = await self.database.one(TICK, {**self._limits(), "holder": holder, "ready": ready})
        assert row is not None, "the migration makes this row"
        return Tick(row["late"], row["extended"], row["due"])

    async def reap(self) -> list[Moved]:
        """Everything that has passed, a batch of each kind."""
        rows = [row for sql in ALL_REAPS for row in await self.database.all(sql, self._limits())]
        return [moved(row) for row in rows]

    def _limits(self) -> dict[str, Any]:
        return {
            **BOUNDS,
            "lease_s": self.lease_s,
            "start_timeout_s": self.start_timeout_s,
            "cancel_grace_s": self.cancel_grace_s,
            "gap_s": self.gap_s,
        }
