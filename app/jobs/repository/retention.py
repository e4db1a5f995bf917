"""SQL of what time takes away: jobs past their retention, and idempotency keys older than a day."""

from dataclasses import dataclass
from typing import Final, LiteralString

from app.db.postgres import Database

BATCH: Final = 200

# An output that a live job reads keeps its own job until that one has ended.
DELETE_EXPIRED: LiteralString = """
with expired as (
    select j.id from app.jobs j
    where j.ended_at is not null and j.expires_at < now() and not exists (
        select 1 from app.assets a join app.jobs live on live.workspace_id = a.workspace_id
        where a.job_id = j.id and live.status in ('queued', 'dispatched', 'running')
          and live.inputs @> jsonb_build_array(jsonb_build_object('asset_id', a.id)))
    order by j.expires_at limit %(batch)s for update skip locked
), files as (
    delete from app.assets a using expired where a.job_id = expired.id returning a.blob_id
), loosened as (
    update app.blobs b set loose_since = now() from files where b.id = files.blob_id
), gone as (
    delete from app.jobs j using expired where j.id = expired.id returning j.id
)
select count(*) as gone from gone
"""
FORGET_KEYS: LiteralString = """
update app.jobs set idempotency_key = null, request_hash = null
where id in (
    select id from app.jobs
    where idempotency_key is not null
      and created_at < now() - make_interval(secs => %(idempotency_s)s)
    order by created_at limit %(batch)s for update skip locked)
"""


@dataclass(frozen=True, slots=True)
class RetentionRepository:
    """Each method takes a batch and returns how many rows it took."""

    database: Database
    idempotency_s: float

    async def delete_expired(self) -> int:
        """Delete jobs past `expires_at` with their events and outputs; live ones stay."""
        row = await self.database.one(DELETE_EXPIRED, {"batch": BATCH})
        return row["gone"] if row else 0

    async def forget_keys(self) -> int:
        """Free idempotency keys that have had their time."""
        params = {"batch": BATCH, "idempotency_s": self.idempotency_s}
        return await self.database.run(FORGET_KEYS, params)
