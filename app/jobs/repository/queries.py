"""Reads of jobs. Every statement that serves a caller carries its workspace."""

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.postgres import Database, Row
from app.jobs.models import Job, JobFilter, JsonObject, Standing
from app.jobs.transitions import Status

# Queue positions are counted up to 1,000: further back, the number says nothing more.
_JOB: LiteralString = """
select j.id, j.workspace_id, j.status, j.backend, j.backend_reason, j.environment, j.outputs,
    j.progress, j.metadata, j.tags, j.log_bytes, j.epoch, j.tries, j.max_tries, j.seq, j.priority, j.run_after,
    j.cancel_requested_at, j.error, j.created_at, j.started_at, j.ended_at, j.expires_at, j.retry_of,
    j.workflow_inputs, case when j.workflow_version_id is not null then (
        select jsonb_build_object('name', w.name, 'version', v.number)
        from app.workflow_versions v join app.workflows w on w.id = v.workflow_id
        where v.id = j.workflow_version_id)
    end as workflow,
    case when j.status = 'queued' then (
        select count(*) from (
            select 1 from app.jobs q
            where q.status = 'queued' and q.workspace_id = j.workspace_id and q.backend = j.backend
              and (q.priority > j.priority or (q.priority = j.priority and q.id < j.id))
            limit 1000) as ahead)
    end as queue_position
from app.jobs j
"""
# A job that still runs is never hidden, however short the retention.
_PUBLIC_STATUS: LiteralString = """case when j.status = 'dispatched' then 'queued'
    when j.status = 'running' and j.cancel_requested_at is not null then 'canceling'
    else j.status end"""
_VISIBLE: LiteralString = """j.workspace_id = %(workspace_id)s
  and (j.expires_at > now() or j.ended_at is null)"""
GET: LiteralString = f"{_JOB} where j.id = %(id)s and {_VISIBLE}"
BY_KEY: LiteralString = f"""
select job.*, made.request_hash from ({_JOB}) as job join app.jobs made on made.id = job.id
where made.workspace_id = %(workspace_id)s and made.idempotency_key = %(idempotency_key)s
"""
GRAPH: LiteralString = f"select j.graph from app.jobs j where j.id = %(id)s and {_VISIBLE}"
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
        self, workspace_id: UUID, *, before: UUID | None, limit: int, wanted: JobFilter
    ) -> list[Job]:
        """Newest first, older than `before`."""
        version = wanted.workflow_version
        rows = await self.database.all(
            _list_statement(before, wanted),
            {
                "workspace_id": workspace_id,
                "before": before,
                "limit": limit,
                "metadata": Jsonb(wanted.metadata),
                "statuses": wanted.statuses,
                "tags": wanted.tags,
                "environment": wanted.environment,
                "workflow": wanted.workflow,
                "every_version": version is None,
                "number": version.number if version else None,
                "alias": version.alias if version else None,
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


def _list_statement(before: UUID | None, wanted: JobFilter) -> LiteralString:
    # Only the conditions that are asked for, so that the planner can use the index of each.
    sql: LiteralString = f"{_JOB} where {_VISIBLE}"
    if before:
        sql += " and j.id < %(before)s"
    if wanted.metadata:
        sql += " and j.metadata @> %(metadata)s::jsonb and j.metadata <> '{}'"
    if wanted.tags:
        sql += " and j.tags @> %(tags)s::text[] and j.tags <> '{}'"
    if wanted.environment:
        sql += " and j.environment = %(environment)s"
    if wanted.workflow:
        sql += """ and j.workflow_version_id = any(array(
            select v.id from app.workflows w
            left join app.workflow_aliases a on a.workflow_id = w.id and a.alias = %(alias)s
            join app.workflow_versions v on v.workflow_id = w.id
            where w.workspace_id = %(workspace_id)s and w.name = %(workflow)s
              and (%(every_version)s or v.number = coalesce(%(number)s::int, a.number))))"""
    if wanted.statuses:
        sql += f" and {_PUBLIC_STATUS} = any(%(statuses)s::text[])"
    return sql + " order by j.id desc limit %(limit)s"


def _job(row: Row) -> Job:
    row["status"] = Status(row["status"])
    return Job(**row)
