"""The claim: the one statement that starts a job, and what a repeated claim finds.

Legal from `queued` (local: the workspace whose turn it is, then priority and age inside it), from
`dispatched` with the same `dispatch_id`, and from `running` with the same `dispatch_id` once its
lease has passed (a container that Modal started again).
"""

from dataclasses import dataclass
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.errors import UniqueViolation

from app.db.postgres import Database, Row
from app.jobs.models import Claimed, JobInput
from app.jobs.repository.statement import returning, status_event, transition
from app.jobs.repository.transitions import moved

_START: LiteralString = f"""update app.jobs j set status = 'running', seq = j.seq + 1, client_seq = 0,
        tries = j.tries + 1, epoch = j.epoch + 1, outputs = '[]', progress = null, progress_at = null,
        unclaimed_dispatches = 0, lease_expires_at = now() + make_interval(secs => %(lease_s)s),
        started_at = coalesce(j.started_at, now()), executor_id = %(executor_id)s,
        worker_id = %(worker_id)s,
        deadline_at = coalesce(j.deadline_at, now() + make_interval(secs => j.deadline_s))
    from picked where j.id = picked.id and j.cancel_requested_at is null
    {returning(status_event())}, j.environment, j.graph, j.inputs, j.dispatch_id, j.backend, j.strip_metadata,
        extract(epoch from j.deadline_at - now()) as deadline_in_s"""

_ATTEMPT: LiteralString = """, attempt as (
    insert into app.job_attempts (claim_id, job_id, epoch, environment_digest, executor_id, dispatch_id)
    select %(claim_id)s, id, epoch, %(environment_digest)s, %(executor_id)s, dispatch_id from moved
), earlier_attempt as (
    -- Only a run that Modal started again can find one open; a queued job has none.
    update app.job_attempts a set ended_at = now(), outcome = 'lease_expired'
    from moved where a.job_id = moved.id and a.epoch < moved.epoch and a.ended_at is null
), dispatch as (
    update app.job_dispatches d set claimed_at = now()
    from moved where d.dispatch_id = moved.dispatch_id
), displaced as (
    -- What an earlier run published is shown no more; the sweep takes it.
    update app.assets a set published_at = null
    from moved where moved.tries > 1 and a.job_id = moved.id and a.epoch < moved.epoch
      and a.published_at is not null
), turn as (
    update app.workspace_turns t set last_claimed_at = clock_timestamp()
    from moved where t.workspace_id = moved.workspace_id and t.backend = moved.backend
)"""


_CLAIM_IDS: Final = "job_attempts_pkey"

# Seen again: the same ticket while its lease lives.
CLAIMED_BEFORE: LiteralString = """
select j.id, j.workspace_id, j.status, j.seq, j.epoch, j.environment, j.graph, j.inputs,
    j.strip_metadata, extract(epoch from j.deadline_at - now()) as deadline_in_s, secret.ciphertext
from app.job_attempts a
join app.jobs j on j.id = a.job_id
left join app.job_secrets secret on secret.job_id = j.id
where a.claim_id = %(claim_id)s and j.epoch = a.epoch and j.status = 'running'
  and j.lease_expires_at > now()
"""

_TICKET: LiteralString = f"""
select moved.id, moved.workspace_id, moved.status, moved.seq, moved.epoch, moved.environment,
    moved.graph, moved.inputs, moved.strip_metadata, moved.deadline_in_s, secret.ciphertext
from moved left join app.job_secrets secret on secret.job_id = moved.id
union all {CLAIMED_BEFORE} and not exists (select 1 from moved)
"""


def _claim(picked: LiteralString) -> LiteralString:
    before: LiteralString = f"picked as ({picked}),"
    return transition(_START, before=before, after=_ATTEMPT, answer=_TICKET)


# `offset 0` keeps the planner from pulling the turns apart: they are walked in order, and the walk
# ends at the first workspace with a row that could be locked.
CLAIM_LOCAL: LiteralString = _claim("""
    select ready.id
    from (select workspace_id from app.workspace_turns
          where backend = 'local'
            and (%(workspaces)s::uuid[] is null or workspace_id = any(%(workspaces)s::uuid[]))
          order by last_claimed_at offset 0) as turn
    cross join lateral (
        select id from app.jobs q
        where q.workspace_id = turn.workspace_id and q.backend = 'local' and q.status = 'queued'
          and q.environment = %(environment)s and q.run_after <= now()
          and q.cancel_requested_at is null
        order by q.priority desc, q.id limit 1 for update skip locked) as ready
    where (%(max_running)s::int is null or (
           select count(*) from app.jobs w
           where w.workspace_id = turn.workspace_id and w.backend = 'local' and w.status = 'running'
             and w.lease_expires_at > now()) < %(max_running)s)
      and (select count(*) from app.jobs r
           where r.worker_id = %(worker_id)s and r.status = 'running' and r.lease_expires_at > now()
          ) < %(slots)s
    limit 1""")

CLAIM_DISPATCHED: LiteralString = _claim("""
    select id from app.jobs
    where id = %(job_id)s and dispatch_id = %(dispatch_id)s
      and (status = 'dispatched' or (status = 'running' and lease_expires_at < now()
           and tries - interruptions < max_tries))
    for update""")

DISPATCH_STANDING: LiteralString = """
select extract(epoch from lease_expires_at - now()) as lease_left_s from app.jobs
where id = %(job_id)s and dispatch_id = %(dispatch_id)s and status = 'running'
  and lease_expires_at > now()
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who asks for work, and what it can run."""

    claim_id: UUID
    environment: str
    environment_digest: str
    executor_id: str


@dataclass(frozen=True, slots=True)
class Worker:
    """A local worker's rights, from its token."""

    worker_id: UUID
    workspaces: list[UUID] | None
    slots: int


@dataclass(frozen=True, slots=True)
class ClaimRepository:
    """Starts jobs."""

    database: Database
    lease_s: float
    max_running: int | None = None
    """Of one workspace on local workers; None: no limit. Claims at the same moment count each other
    not yet, so that it may be passed by as many."""

    async def next_local(self, claim: Claim, worker: Worker) -> Claimed | None:
        """Start the best ready job that this worker may run, or answer the same ticket."""
        params = {
            "workspaces": worker.workspaces,
            "worker_id": worker.worker_id,
            "slots": worker.slots,
            "max_running": self.max_running,
        }
        return await self._start(CLAIM_LOCAL, claim, params)

    async def dispatched(self, claim: Claim, job_id: UUID, dispatch_id: UUID) -> Claimed | None:
        """Start the job of that dispatch, or answer the same ticket."""
        return await self._start(
            CLAIM_DISPATCHED,
            claim,
            {"job_id": job_id, "dispatch_id": dispatch_id, "worker_id": None},
        )

    async def lease_left_s(self, job_id: UUID, dispatch_id: UUID) -> float | None:
        """How long another run of the same dispatch still holds the job."""
        row = await self.database.one(
            DISPATCH_STANDING, {"job_id": job_id, "dispatch_id": dispatch_id}
        )
        return float(row["lease_left_s"]) if row else None

    async def _start(
        self, sql: LiteralString, claim: Claim, params: dict[str, Any]
    ) -> Claimed | None:
        try:
            row = await self.database.one(
                sql,
                {
                    "lease_s": self.lease_s,
                    "claim_id": claim.claim_id,
                    "environment": claim.environment,
                    "environment_digest": claim.environment_digest,
                    "executor_id": claim.executor_id,
                    **params,
                },
            )
        except UniqueViolation as error:
            if error.diag.constraint_name != _CLAIM_IDS:
                raise
            # The same claim won, in parallel or before: this statement was rolled back whole.
            row = await self.database.one(CLAIMED_BEFORE, {"claim_id": claim.claim_id})
        return _claimed(row) if row else None


def _claimed(row: Row) -> Claimed:
    return Claimed(
        moved=moved(row),
        environment=row["environment"],
        graph=row["graph"],
        inputs=[JobInput(UUID(i["asset_id"]), i["file_name"]) for i in row["inputs"]],
        secrets=row["ciphertext"],
        deadline_in_s=max(float(row["deadline_in_s"]), 1.0),
        strip_metadata=row["strip_metadata"],
    )
