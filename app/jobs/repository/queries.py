"""Reads of jobs. Every statement that serves a caller carries its workspace."""

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.postgres import Database, Row
from app.jobs.models import Job, JsonObject, Standing
from app.jobs.transitions import Status

# Queue positions are counted up to 1,000: further back, the number says nothing more.
_JOB: LiteralString = """
select j.id, j.workspace_id, j.status, j.backend, j.backend_reason, j.environment, j.outputs,
    j.progress, j.metadata, j.epoch, j.tries, j.max_tries, j.seq, j.priority, j.run_after,
    j.cancel_requested_at, j.error, j.created_at, j.started_at, j.ended_at, j.expires_at,
    case when j.status = 'queued' then (
        select count(*) from (
            select 1 from app.jobs q
            where q.status = 'queued' and q.workspace_id = j.workspace_id and q.backend = j.backend
              and (q.priority > j.priority or (q.priority = j.priority and q.id < j.id))
            limit 1000) as ahead)
    end as queue_position
from app.jobs j
"""
_VISIBLE: LiteralString = "j.workspace_id = %(workspace_id)s and j.expires_at > now()"
GET: LiteralString = f"{_JOB} where j.id = %(id)s and {_VISIBLE}"
BY_KEY: LiteralString = f"""
select job.*, made.request_hash from ({_JOB}) as job join app.jobs made on made.id = job.id
where made.workspace_id = %(workspace_id)s and made.idempotency_key = %(idempotency_key)s
"""
LIST: LiteralString = f"""
{_JOB} where {_VISIBLE} and (%(before)s::uuid is null or j.id < %(before)s)
  and j.metadata @> %(metadata)s::jsonb
  and (%(statuses)s::text[] is null or j.status = any(%(statuses)s::text[]))
order by j.id desc limit %(limit)s
"""
GRAPH: LiteralString = """
select graph from app.jobs
where id = %(id)s and workspace_id = %(workspace_id)s and expires_at > now()
"""
STANDING: LiteralString = "select status, epoch, client_seq from app.jobs where id = %(id)s"


@dataclass(frozen=True, slots=True)
class JobQueries:
    """Reads of jobs."""

    database: Database

    async def get(self, workspace_id: UUID, job_id: UUID) -> Job | None:
        """The job, unless it is another's or past its retention."""
        row = await self.database.one(GET, {"id": job_id, "workspace_id": workspace_id})
        return _job(row) if row else None

    async def by_idempotency_key(self, workspace_id: UUID, key: str) -> tuple[Job, bytes] | None:
        """The job of that key, and the hash of the request that made it."""
        params = {"workspace_id": workspace_id, "idempotency_key": key}
        row = await self.database.one(BY_KEY, params)
        if row is None:
            return None
        request_hash = row.pop("request_hash")
        return _job(row), request_hash

    async def list(
        self,
        workspace_id: UUID,
        *,
        before: UUID | None,
        limit: int,
        metadata: Row,
        statuses: list[str] | None,
    ) -> list[Job]:
        """Newest first, older than `before`."""
        rows = await self.database.all(
            LIST,
            {
                "workspace_id": workspace_id,
                "before": before,
                "limit": limit,
                "metadata": Jsonb(metadata),
                "statuses": statuses,
            },
        )
        return [_job(row) for row in rows]

    async def graph(self, workspace_id: UUID, job_id: UUID) -> JsonObject | None:
        """The API-format graph that is executed."""
        row = await self.database.one(GRAPH, {"id": job_id, "workspace_id": workspace_id})
        return row["graph"] if row else None

    async def standing(self, job_id: UUID) -> Standing | None:
        """Where a job stands, to explain a refused write to an executor."""
        row = await self.database.one(STANDING, {"id": job_id})
        if row is None:
            return None
        return Standing(Status(row["status"]), row["epoch"], row["client_seq"])


def _job(row: Row) -> Job:
    row["status"] = Status(row["status"])
    return Job(**row)
