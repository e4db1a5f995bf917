"""A retry: a new job from the row of one that has ended, in one statement."""

from dataclasses import asdict, dataclass, field
from typing import LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.postgres import Database
from app.jobs.models import JobFilter, Moved
from app.jobs.repository.statement import tries_allowed
from app.jobs.repository.transitions import moved

_ENDED: LiteralString = """o.workspace_id = %(workspace_id)s and o.ended_at is not null
  and o.expires_at > now()"""
_NOT_RETRIED: LiteralString = "not exists (select 1 from app.jobs r where r.retry_of = o.id)"

RETRY: LiteralString = f"""
with job as (
    insert into app.jobs (id, workspace_id, backend, backend_reason, environment, graph, graph_hash, inputs,
        metadata, tags, priority, max_tries, start_by, deadline_s, expires_at, idempotency_key, request_hash,
        retry_of, webhook_url, strip_metadata, workflow_version_id, workflow_inputs)
    select %(id)s, o.workspace_id, %(backend)s, %(backend_reason)s, o.environment, o.graph, o.graph_hash, o.inputs,
        o.metadata, o.tags, o.priority, {
    tries_allowed("o.workspace_id", "o.graph_hash", "o.max_tries")
},
        now() + make_interval(secs => %(start_within_s)s), o.deadline_s,
        now() + make_interval(secs => %(retention_s)s), %(idempotency_key)s, %(request_hash)s, o.id,
        o.webhook_url, o.strip_metadata, o.workflow_version_id, o.workflow_inputs
    from app.jobs o where o.id = %(of)s and {_ENDED}
    on conflict (workspace_id, idempotency_key) where idempotency_key is not null do nothing
    returning id, workspace_id, status, seq, epoch
), logged as (
    insert into app.job_events (workspace_id, job_id, seq, epoch, type, data)
    select workspace_id, id, seq, epoch, 'status',
        jsonb_build_object('status', 'queued', 'tries', 0, 'retry_of', %(of)s::text) from job
), kept as (
    insert into app.job_secrets (job_id, ciphertext)
    select id, %(secrets)s::bytea from job where %(secrets)s::bytea is not null
)
select *, false as cancel, 0 as tries, null as waited_s, null as ran_s from job
"""

OLD: LiteralString = (
    f"select o.environment, o.inputs from app.jobs o where o.id = %(of)s and {_ENDED}"
)

CANDIDATES: LiteralString = f"""
select o.id from app.jobs o
where {_ENDED} and {_NOT_RETRIED} and o.status = any(%(statuses)s::text[])
  and (%(codes)s::text[] is null or o.error ->> 'code' = any(%(codes)s::text[]))
  and o.metadata @> %(metadata)s::jsonb and o.tags @> %(tags)s::text[]
  and (%(environment)s::text is null or o.environment = %(environment)s)
order by o.id limit %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Old:
    """What must still be so for a job to be run again."""

    environment: str
    asset_ids: list[UUID]


@dataclass(frozen=True, slots=True)
class NewRetry:
    """What a retry does not take from the job it repeats."""

    id: UUID
    of: UUID
    workspace_id: UUID
    backend: str
    backend_reason: str
    start_within_s: float
    retention_s: float
    idempotency_key: str | None
    request_hash: bytes | None
    secrets: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RetryRepository:
    """Runs jobs again."""

    database: Database

    async def old(self, workspace_id: UUID, job_id: UUID) -> Old | None:
        """A job that has ended and is still kept."""
        row = await self.database.one(OLD, {"of": job_id, "workspace_id": workspace_id})
        if row is None:
            return None
        return Old(row["environment"], [UUID(i["asset_id"]) for i in row["inputs"]])

    async def retry(self, new: NewRetry) -> Moved | None:
        """Record it; None if its idempotency key is taken or the old job is gone."""
        row = await self.database.one(RETRY, asdict(new))
        return moved(row) if row else None

    async def candidates(
        self, workspace_id: UUID, wanted: JobFilter, codes: list[str] | None, limit: int
    ) -> list[UUID]:
        """Ended jobs that were not retried yet, oldest first."""
        rows = await self.database.all(
            CANDIDATES,
            {
                "workspace_id": workspace_id,
                "statuses": wanted.statuses,
                "codes": codes,
                "metadata": Jsonb(wanted.metadata),
                "tags": wanted.tags,
                "environment": wanted.environment,
                "limit": limit,
            },
        )
        return [row["id"] for row in rows]
