"""The statements of DESIGN §4 that end or move a job, except claims. Each is one statement.

Every write of an executor has `epoch = mine and status = 'running'` in its WHERE: the fence.
A numbered one also has `client_seq = n - 1`: taken once, in order.
"""

from dataclasses import dataclass
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.postgres import Database, Row
from app.events.hub import Lifetime
from app.jobs.models import JsonObject, Moved, NewJob
from app.jobs.repository.statement import (
    BOUNDS,
    returning,
    status_event,
    transition,
)
from app.jobs.repository.submitting import SUBMIT, submit_params
from app.jobs.transitions import TERMINAL, Status

LOG_LINE_BYTES: Final = 64
"""What a line costs beside its text, so that empty ones are bounded too."""

_MINE: LiteralString = "j.id = %(id)s and j.epoch = %(epoch)s and j.status = 'running'"
_NEXT: LiteralString = f"{_MINE} and j.client_seq = %(client_seq)s - 1"
_SPANS: Final = ("waited_s", "ran_s")
_LEASE: LiteralString = "now() + make_interval(secs => %(lease_s)s)"
_COUNTED: LiteralString = "j.tries - j.interruptions"

DISPATCH = transition(
    f"""update app.jobs j set status = 'dispatched', seq = j.seq + 1,
        unclaimed_dispatches = j.unclaimed_dispatches + 1, dispatch_id = %(dispatch_id)s,
        lease_expires_at = {_LEASE}
    from ready where j.id = ready.id
    {returning(status_event())}""",
    before="""ready as (
        select id from app.jobs
        where status = 'queued' and backend = %(backend)s and run_after <= now()
          and cancel_requested_at is null and (%(id)s::uuid is null or id = %(id)s)
        order by priority desc, id limit 1 for update skip locked
    ),""",
    after=f""", sent as (
        insert into app.job_dispatches (dispatch_id, job_id, backend, lease_expires_at)
        select %(dispatch_id)s, id, %(backend)s, {_LEASE} from moved
    )""",
)

STORE_EXTERNAL_ID: LiteralString = """
update app.job_dispatches set external_id = %(external_id)s where dispatch_id = %(dispatch_id)s
returning cancel_wanted_at is not null as cancel
"""

_KEEP: LiteralString = """%(progress)s::jsonb is not null
    and (j.progress_at is null or j.progress_at < now() - interval '1 second')"""
PROGRESS: LiteralString = f"""
update app.jobs j set lease_expires_at = {_LEASE},
    progress = case when {_KEEP} then %(progress)s::jsonb else j.progress end,
    progress_at = case when {_KEEP} then now() else j.progress_at end
where {_MINE}
returning j.id, j.workspace_id, j.status, j.seq, j.epoch, j.cancel_requested_at is not null as cancel
"""

# A log has room for so many bytes; the line that exceeds it says so, later ones are counted only.
LOG = transition(
    f"""update app.jobs j set client_seq = j.client_seq + 1, lease_expires_at = {_LEASE},
        seq = j.seq + case when j.log_bytes < %(max_log_bytes)s then 1 else 0 end,
        log_bytes = least(j.log_bytes::bigint + %(size_bytes)s, 2147483647)
    where {_NEXT}
    {
        returning(
            "case when j.log_bytes - %(size_bytes)s < %(max_log_bytes)s then 'log' end as event_type, "
            "case when j.log_bytes <= %(max_log_bytes)s then %(data)s::jsonb else "
            "jsonb_build_object('level', 'warning', 'message', 'The log is full: later lines are dropped.') "
            "end as event_data"
        )
    }"""
)

OUTPUT = transition(
    f"""update app.jobs j set seq = j.seq + 1, client_seq = j.client_seq + 1,
        lease_expires_at = {_LEASE}, outputs = j.outputs || asset.entry
    from asset where {_NEXT}
    {returning("'output' as event_type, asset.entry as event_data")}""",
    before="""asset as (
        select a.id, a.blob_id, thumbnail.id as thumbnail_id, jsonb_build_object('asset_id', a.id, 'node_id', a.node_id,
            'name', a.file_path, 'kind', a.kind, 'content_type', a.content_type,
            'size_bytes', b.size_bytes, 'storage_key', b.storage_key, 'blake3', case
                when b.verified_at is null then %(blake3)s::text else encode(b.blake3, 'hex') end
            ) || case when thumbnail.id is null then '{}' else
                jsonb_build_object('thumbnail_key', thumbnail.storage_key) end as entry
        from app.assets a join app.blobs b on b.id = a.blob_id
        left join lateral (
            select t.id, tb.storage_key from app.assets t join app.blobs tb on tb.id = t.blob_id
            where t.id = %(thumbnail)s::uuid and t.job_id = a.job_id and t.epoch = a.epoch
              and t.kind = 'thumbnail') as thumbnail on true
        where a.id = %(asset_id)s and a.job_id = %(id)s and a.epoch = %(epoch)s
          and a.kind <> 'thumbnail' and a.published_at is null
    ),""",
    after=""", published as (
        update app.assets a set published_at = now()
        from moved, asset where a.id in (asset.id, asset.thumbnail_id)
    ), hashed as (
        update app.blobs b set blake3 = decode(%(blake3)s::text, 'hex')
        from moved, asset where b.id = asset.blob_id and b.verified_at is null
    )""",
)

# Progress is kept once a second at most: the last one kept of a success may be long past.
_DONE: LiteralString = """j.progress || jsonb_build_object('value', 1,
    'nodes_done', j.progress -> 'nodes_total', 'current_node', null, 'current_node_class', null,
    'step', null, 'steps', null, 'message', null)"""
SUCCEED = transition(
    f"""update app.jobs j set seq = j.seq + 1, client_seq = j.client_seq + 1,
        status = case when j.cancel_requested_at is null then 'succeeded' else 'canceled' end,
        progress = case when j.cancel_requested_at is null then {_DONE} else j.progress end,
        lease_expires_at = null, ended_at = now()
    where {_NEXT}
    {
        returning(
            status_event(), outcome="j.status", reported="true", timings="%(timings_ms)s::jsonb"
        )
    }"""
)

CANCELED = transition(
    f"""update app.jobs j set seq = j.seq + 1, client_seq = j.client_seq + 1, status = 'canceled',
        lease_expires_at = null, ended_at = now()
    where {_NEXT} and j.cancel_requested_at is not null
    {returning(status_event(), outcome="j.status", reported="true")}"""
)

# A failure starts the job again while its class allows that and starts are left, else ends it.
# SET sees the row as it was, RETURNING as it became: hence the rule, and then its result.
_AFTER_FAILURE: LiteralString = f"""case when j.cancel_requested_at is not null then 'canceled'
    when %(retryable)s and {_COUNTED} < j.max_tries then 'queued' else 'failed' end"""
_BACKOFF: LiteralString = f"""now() + make_interval(secs => (0.75 + random() / 2)
    * least(%(max_backoff_s)s, %(backoff_s)s * power(2, {_COUNTED} - 1)))"""

FAIL = transition(
    f"""update app.jobs j set seq = j.seq + 1, client_seq = j.client_seq + 1, lease_expires_at = null,
        status = {_AFTER_FAILURE},
        epoch = case {_AFTER_FAILURE} when 'queued' then j.epoch + 1 else j.epoch end,
        ended_at = case {_AFTER_FAILURE} when 'queued' then null else now() end,
        outputs = case {_AFTER_FAILURE} when 'queued' then '[]' else j.outputs end,
        error = case {_AFTER_FAILURE} when 'failed' then %(error)s::jsonb end,
        run_after = case {_AFTER_FAILURE} when 'queued' then {_BACKOFF} else j.run_after end
    where {_NEXT}
    {
        returning(
            status_event(
                "'retry', case when j.status = 'queued' then jsonb_build_object("
                "'code', %(code)s::text, 'message', %(message)s::text) end"
            ),
            attempt="case when j.status = 'queued' then j.epoch - 1 else j.epoch end",
            outcome="case when j.status = 'canceled' then 'canceled' else %(code)s::text end",
            reported="true",
        )
    }"""
)

# Given back: not the job's fault and not counted against it, up to a bound; then it is a failure.
_AFTER_INTERRUPTION: LiteralString = """case when j.cancel_requested_at is not null then 'canceled'
    when j.interruptions >= %(max_interruptions)s then 'failed'
    when %(restarts)s and j.dispatch_id is not null then 'dispatched' else 'queued' end"""
_GIVEN_BACK: LiteralString = f"{_AFTER_INTERRUPTION} in ('queued', 'dispatched')"

INTERRUPT = transition(
    f"""update app.jobs j set seq = j.seq + 1, client_seq = j.client_seq + 1, run_after = now(),
        status = {_AFTER_INTERRUPTION},
        epoch = case when {_GIVEN_BACK} then j.epoch + 1 else j.epoch end,
        interruptions = case when {_GIVEN_BACK} then j.interruptions + 1 else j.interruptions end,
        lease_expires_at = case {_AFTER_INTERRUPTION} when 'dispatched' then {_LEASE} end,
        ended_at = case when {_GIVEN_BACK} then null else now() end,
        outputs = case when {_GIVEN_BACK} then '[]' else j.outputs end,
        error = case {_AFTER_INTERRUPTION} when 'failed' then %(error)s::jsonb end
    where {_NEXT}
    {
        returning(
            status_event(
                "'retry', case when j.status in ('queued', 'dispatched') "
                "then jsonb_build_object('code', 'interrupted') end"
            ),
            attempt="case when j.status in ('queued', 'dispatched') then j.epoch - 1 else j.epoch end",
            outcome="case when j.status = 'canceled' then 'canceled' else 'interrupted' end",
            reported="true",
        )
    }"""
)

# A queued or starting job ends at once; a running one is asked, and its executor hears of it in
# the reply to its next event.
CANCEL = transition(
    f"""update app.jobs j set seq = j.seq + 1, cancel_requested_at = now(),
        epoch = j.epoch + case when j.status = 'dispatched' then 1 else 0 end,
        status = case when j.status = 'running' then 'running' else 'canceled' end,
        lease_expires_at = case when j.status = 'running' then j.lease_expires_at end,
        ended_at = case when j.status = 'running' then null else now() end
    where j.id = %(id)s and j.workspace_id = %(workspace_id)s and j.cancel_requested_at is null
      and j.status in ('queued', 'dispatched', 'running')
    {returning(status_event())}""",
    after=""", asked as (
        update app.job_dispatches d set cancel_wanted_at = now()
        from moved where d.job_id = moved.id and d.ended_at is null
          and d.cancel_wanted_at is null and moved.status = 'running'
    )""",
)


@dataclass(frozen=True, slots=True)
class Fence:
    """Which run an executor's write belongs to, from its event token."""

    job_id: UUID
    epoch: int


@dataclass(frozen=True, slots=True)
class TransitionRepository:
    """Moves of a job. `None` means: not taken, nothing written."""

    database: Database
    lease_s: float

    async def submit(self, job: NewJob) -> Row | None:
        """Record a job; None if its idempotency key is taken."""
        return await self.database.one(SUBMIT, submit_params(job))

    async def dispatch(
        self, *, dispatch_id: UUID, backend: str, start_timeout_s: float, job_id: UUID | None = None
    ) -> Moved | None:
        """Take the best ready job of a backend (or that job) for one call of a GPU function."""
        row = await self.database.one(
            DISPATCH,
            {
                "dispatch_id": dispatch_id,
                "backend": backend,
                "lease_s": start_timeout_s,
                "id": job_id,
            },
        )
        return moved(row) if row else None

    async def store_external_id(self, dispatch_id: UUID, external_id: str) -> bool:
        """Keep the id of a call, however late; returns whether the call is to be canceled."""
        row = await self.database.one(
            STORE_EXTERNAL_ID, {"dispatch_id": dispatch_id, "external_id": external_id}
        )
        return row is not None and row["cancel"]

    async def progress(
        self, fence: Fence, progress: JsonObject | None
    ) -> tuple[Moved, bool] | None:
        """Renew the lease, keep the progress (once a second at most); returns whether to cancel."""
        row = await self.database.one(
            PROGRESS, {**self._mine(fence), "progress": Jsonb(progress) if progress else None}
        )
        return (moved(row), row["cancel"]) if row else None

    async def log(self, fence: Fence, client_seq: int, data: JsonObject) -> Moved | None:
        """Keep a log line."""
        size_bytes = len(data["message"].encode()) + LOG_LINE_BYTES
        params = {"data": Jsonb(data), "size_bytes": size_bytes}
        return await self._next(LOG, fence, client_seq, params)

    async def output(
        self,
        fence: Fence,
        client_seq: int,
        asset_id: UUID,
        blake3: str | None,
        thumbnail: UUID | None = None,
    ) -> Moved | None:
        """Show a registered output of this epoch; `blake3` is hex, as declared."""
        params = {"asset_id": asset_id, "blake3": blake3, "thumbnail": thumbnail}
        return await self._next(OUTPUT, fence, client_seq, params)

    async def succeed(
        self, fence: Fence, client_seq: int, timings_ms: dict[str, int]
    ) -> Moved | None:
        """End a job well; one that was asked to cancel becomes canceled instead."""
        return await self._next(SUCCEED, fence, client_seq, {"timings_ms": Jsonb(timings_ms)})

    async def canceled(self, fence: Fence, client_seq: int) -> Moved | None:
        """The executor carried out the cancel."""
        return await self._next(CANCELED, fence, client_seq, {})

    async def fail(
        self, fence: Fence, client_seq: int, error: JsonObject, *, retryable: bool, backoff_s: float
    ) -> Moved | None:
        """Start again with back-off, or end as failed."""
        return await self._next(
            FAIL,
            fence,
            client_seq,
            {
                "error": Jsonb(error),
                "code": error["code"],
                "message": error["message"],
                "retryable": retryable,
                "backoff_s": backoff_s,
            },
        )

    async def interrupt(
        self, fence: Fence, client_seq: int, error: JsonObject, *, restarts: bool
    ) -> Moved | None:
        """The executor gives the job back unfinished."""
        return await self._next(
            INTERRUPT, fence, client_seq, {"error": Jsonb(error), "restarts": restarts}
        )

    async def cancel(self, workspace_id: UUID, job_id: UUID) -> Moved | None:
        """Cancel or ask to; None if the job is another's, has ended, or was asked before."""
        row = await self.database.one(CANCEL, {"id": job_id, "workspace_id": workspace_id})
        return moved(row) if row else None

    def _mine(self, fence: Fence) -> dict[str, Any]:
        return {**BOUNDS, "id": fence.job_id, "epoch": fence.epoch, "lease_s": self.lease_s}

    async def _next(
        self, sql: LiteralString, fence: Fence, client_seq: int, params: dict[str, Any]
    ) -> Moved | None:
        row = await self.database.one(
            sql, {**self._mine(fence), "client_seq": client_seq, **params}
        )
        return moved(row) if row else None


def moved(row: Row) -> Moved:
    """The part of a row that readers are told."""
    status = Status(row["status"])
    return Moved(
        id=row["id"],
        workspace_id=row["workspace_id"],
        status=status,
        seq=row["seq"],
        epoch=row["epoch"],
        lifetime=_lifetime(row) if status in TERMINAL else None,
        notifies=row.get("notifies", False),
        cancel=row.get("cancel", False),
    )


def _lifetime(row: Row) -> Lifetime:
    waited_s, ran_s = (None if row[name] is None else round(float(row[name]), 3) for name in _SPANS)
    return Lifetime(row["tries"], waited_s, ran_s)
