"""SQL of what files leave behind: records that have expired, blobs without any, objects without those.

From a record to its bytes there are three steps, each a statement, and each may be the last before
a crash: the record goes and its blob becomes loose; a blob loose for long enough goes and its key
is written down for deletion; the object goes and then the note.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

from app.db.postgres import Database

BATCH: Final = 500

_LIVE: LiteralString = "('queued', 'dispatched', 'running')"
_GONE: LiteralString = """, loosened as (
    update app.blobs b set loose_since = now() from gone where b.id = gone.blob_id
)
select count(*) as gone from gone"""

EXPIRED: LiteralString = f"""
with gone as (
    delete from app.assets where id in (
        select a.id from app.assets a
        where a.expires_at < now() and a.job_id is null and not exists (
            select 1 from app.jobs j
            where j.workspace_id = a.workspace_id and j.status in {_LIVE}
              and j.inputs @> jsonb_build_array(jsonb_build_object('asset_id', a.id)))
        order by a.expires_at limit %(batch)s for update skip locked)
    returning blob_id
){_GONE}
"""
# Registered and never announced, or of a run that was given up; a run that goes on keeps its own.
UNPUBLISHED: LiteralString = f"""
with gone as (
    delete from app.assets where id in (
        select a.id from app.assets a
        where a.job_id is not null and a.published_at is null
          and a.created_at < now() - make_interval(secs => %(after_s)s)
          and not exists (select 1 from app.jobs j
              where j.id = a.job_id and j.epoch = a.epoch and j.status = 'running')
        order by a.created_at limit %(batch)s for update skip locked)
    returning blob_id
){_GONE}
"""
LOOSE: LiteralString = """
with loose as (
    select b.id, b.storage_key, exists (select 1 from app.assets a where a.blob_id = b.id) as is_held
    from app.blobs b
    where b.loose_since < now() - make_interval(secs => %(after_s)s)
    order by b.loose_since limit %(batch)s for update skip locked
), held as (
    update app.blobs b set loose_since = null from loose where b.id = loose.id and loose.is_held
), gone as (
    delete from app.blobs b using loose where b.id = loose.id and not loose.is_held
    returning b.storage_key
), noted as (
    insert into app.object_deletions (storage_key) select storage_key from gone
    on conflict do nothing
)
select count(*) as gone from gone
"""
TO_DELETE: LiteralString = """
select storage_key from app.object_deletions order by wanted_at limit %(batch)s
"""
DELETED: LiteralString = "delete from app.object_deletions where storage_key = any(%(keys)s)"


@dataclass(frozen=True, slots=True)
class SweepRepository:
    """Each method takes a batch and returns how many rows it took."""

    database: Database
    after_s: float
    """What nobody owns is left alone for so long: an upload may still be on its way."""

    async def expired(self) -> int:
        """Delete uploads past their `expires_at`, except those that a live job needs."""
        return await self._sweep(EXPIRED)

    async def unpublished(self) -> int:
        """Delete outputs that no job shows."""
        return await self._sweep(UNPUBLISHED)

    async def loose(self) -> int:
        """Delete blobs without any asset and note their objects for deletion."""
        return await self._sweep(LOOSE)

    async def to_delete(self) -> list[str]:
        """Keys of objects whose rows are gone."""
        rows = await self.database.all(TO_DELETE, {"batch": BATCH})
        return [row["storage_key"] for row in rows]

    async def deleted(self, keys: Sequence[str]) -> None:
        """Those objects are gone from storage."""
        await self.database.run(DELETED, {"keys": list(keys)})

    async def _sweep(self, sql: LiteralString) -> int:
        row = await self.database.one(sql, {"after_s": self.after_s, "batch": BATCH})
        return row["gone"] if row else 0
