"""SQL of blobs and assets. Blobs are shared inside a workspace, never across.

A blob's row is there before its bytes are, and says where they will lie: whatever is killed in
between, no bytes are without an owner. `loose_since` is null while an asset is surely over it.
"""

from dataclasses import asdict, dataclass
from typing import LiteralString
from uuid import UUID

from psycopg.errors import ForeignKeyViolation, UniqueViolation

from app.assets.models import Asset, Blob, NewBlob
from app.db.postgres import Database
from app.ids import uuid7

_COLUMNS: LiteralString = """a.id, a.workspace_id, a.file_path, a.content_type, a.tags,
    b.size_bytes, b.blake3, b.storage_key, a.created_at, a.expires_at, a.job_id"""
_ASSET: LiteralString = f"select {_COLUMNS} from app.assets a join app.blobs b on b.id = a.blob_id"
# An output is visible from the moment it is published, for as long as its job is.
_VISIBLE: LiteralString = """a.workspace_id = %(workspace_id)s
  and (a.expires_at is null or a.expires_at > now())
  and (a.job_id is null or (a.published_at is not null and exists (
      select 1 from app.jobs j
      where j.id = a.job_id and (j.expires_at > now() or j.ended_at is null)
        and j.outputs @> jsonb_build_array(jsonb_build_object('asset_id', a.id)))))"""
GET: LiteralString = f"{_ASSET} where a.id = %(id)s and {_VISIBLE}"
BY_IDS: LiteralString = f"{_ASSET} where a.id = any(%(ids)s) and {_VISIBLE}"
# What a job was promised when it was submitted is its own until it ends, expired or not.
HELD: LiteralString = f"""
{_ASSET} where a.id = any(%(ids)s) and a.workspace_id = %(workspace_id)s
"""
NEWEST_OF_PATHS: LiteralString = f"""
select distinct on (a.file_path) {_COLUMNS}
from app.assets a join app.blobs b on b.id = a.blob_id
where a.file_path = any(%(paths)s) and a.job_id is null and {_VISIBLE}
order by a.file_path, a.touched_at desc
"""
# Asked for, so about to be used: the sweep leaves it alone for another while.
LEASE: LiteralString = """
with leased as (
    update app.blobs set loose_since = now()
    where workspace_id = %(workspace_id)s and blake3 = %(blake3)s and verified_at is not null
      and loose_since is not null
)
select id, blake3, size_bytes, storage_key from app.blobs
where workspace_id = %(workspace_id)s and blake3 = %(blake3)s and verified_at is not null
"""
BEGIN_BLOB: LiteralString = """
insert into app.blobs (id, workspace_id, size_bytes, storage_key)
values (%(id)s, %(workspace_id)s, 0, %(storage_key)s)
"""
FORGET_BLOB: LiteralString = """
delete from app.blobs where id = %(id)s and verified_at is null
"""
KEEP_BLOB: LiteralString = """
update app.blobs set blake3 = %(blake3)s, size_bytes = %(size_bytes)s, verified_at = now(),
    loose_since = now()
where id = %(id)s
"""
# The bytes of a known hash are gone from storage: the fresh ones take their place.
HEAL_BLOB: LiteralString = """
with fresh as (delete from app.blobs where id = %(fresh_id)s returning storage_key)
update app.blobs b set storage_key = fresh.storage_key from fresh where b.id = %(id)s
"""
# We computed the hash of an output's bytes while they passed through us: now it may dedupe.
VERIFY_BLOB: LiteralString = """
update app.blobs b set blake3 = %(blake3)s, verified_at = now()
where b.storage_key = %(storage_key)s and b.verified_at is null and not exists (
    select 1 from app.blobs known
    where known.workspace_id = b.workspace_id and known.blake3 = %(blake3)s
      and known.verified_at is not null)
"""
# The same bytes under the same path are the same asset; asked for again it is the newest of its
# path, and its retention only grows.
MINT: LiteralString = f"""
with a as (
    insert into app.assets (id, workspace_id, blob_id, file_path, content_type, tags, expires_at)
    values (%(id)s, %(workspace_id)s, %(blob_id)s, %(file_path)s, %(content_type)s, %(tags)s,
        now() + make_interval(secs => %(expires_in_s)s::double precision))
    on conflict (workspace_id, blob_id, file_path) where job_id is null do update set
        touched_at = clock_timestamp(),
        expires_at = case when assets.expires_at is null or excluded.expires_at is null then null
                          else greatest(assets.expires_at, excluded.expires_at) end
    returning *
), held as (
    update app.blobs set loose_since = null where id = %(blob_id)s and loose_since is not null
)
select {_COLUMNS}, a.id = %(id)s as made from a join app.blobs b on b.id = a.blob_id
"""
DELETE: LiteralString = """
with gone as (
    delete from app.assets a
    where a.id = %(id)s and a.workspace_id = %(workspace_id)s and a.job_id is null and not exists (
        select 1 from app.jobs j
        where j.workspace_id = %(workspace_id)s and j.status in ('queued', 'dispatched', 'running')
          and j.inputs @> jsonb_build_array(jsonb_build_object('asset_id', a.id)))
    returning a.id, a.blob_id
), loosened as (
    update app.blobs b set loose_since = now() from gone where b.id = gone.blob_id
)
select id from gone
"""


class BlobGoneError(Exception):
    """The sweep took the blob between two statements."""


@dataclass(frozen=True, slots=True)
class AssetRepository:
    """Blobs and the assets over them."""

    database: Database

    async def get(self, workspace_id: UUID, asset_id: UUID) -> Asset | None:
        """The asset, unless it is another's, expired, or an output that does not count."""
        row = await self.database.one(GET, {"id": asset_id, "workspace_id": workspace_id})
        return Asset(**row) if row else None

    async def by_ids(self, workspace_id: UUID, ids: list[UUID]) -> dict[UUID, Asset]:
        """Those of the assets that the workspace may use."""
        rows = await self.database.all(BY_IDS, {"ids": ids, "workspace_id": workspace_id})
        return {row["id"]: Asset(**row) for row in rows}

    async def held(self, workspace_id: UUID, ids: list[UUID]) -> dict[UUID, Asset]:
        """The inputs of a job that was recorded while they were there."""
        rows = await self.database.all(HELD, {"ids": ids, "workspace_id": workspace_id})
        return {row["id"]: Asset(**row) for row in rows}

    async def newest_of_paths(self, workspace_id: UUID, paths: list[str]) -> dict[str, Asset]:
        """For each path the newest upload of that path."""
        params = {"paths": paths, "workspace_id": workspace_id}
        rows = await self.database.all(NEWEST_OF_PATHS, params)
        return {row["file_path"]: Asset(**row) for row in rows}

    async def lease(self, workspace_id: UUID, blake3: bytes) -> Blob | None:
        """The workspace's bytes of that hash, kept from the sweep for another while."""
        row = await self.database.one(LEASE, {"workspace_id": workspace_id, "blake3": blake3})
        return Blob(**row) if row else None

    async def begin_blob(self, blob: NewBlob) -> None:
        """Own the place of an upload before its first byte is written."""
        await self.database.run(BEGIN_BLOB, asdict(blob))

    async def forget_blob(self, blob_id: UUID) -> None:
        """Give up the place of an upload that left no object."""
        await self.database.run(FORGET_BLOB, {"id": blob_id})

    async def keep_blob(self, blob_id: UUID, blake3: bytes, size_bytes: int) -> bool:
        """The bytes are there and have that hash; False if another upload of them was quicker.

        Raises:
            BlobGoneError: the upload took so long that its place was swept.
        """
        params = {"id": blob_id, "blake3": blake3, "size_bytes": size_bytes}
        try:
            kept = await self.database.run(KEEP_BLOB, params)
        except UniqueViolation:
            return False
        if not kept:
            raise BlobGoneError
        return True

    async def heal_blob(self, blob_id: UUID, fresh_id: UUID) -> None:
        """Let a known blob point to the object of a fresh upload of the same bytes."""
        await self.database.run(HEAL_BLOB, {"id": blob_id, "fresh_id": fresh_id})

    async def verify_blob(self, storage_key: str, blake3: bytes) -> None:
        """The object of an output was hashed by us; where the hash is known already nothing changes."""
        params = {"storage_key": storage_key, "blake3": blake3}
        try:
            await self.database.run(VERIFY_BLOB, params)
        except UniqueViolation:
            return  # the same bytes were uploaded at this moment

    async def mint(
        self,
        workspace_id: UUID,
        blob_id: UUID,
        file_path: str,
        content_type: str,
        *,
        tags: list[str],
        expires_in_s: float | None,
    ) -> tuple[Asset, bool]:
        """The asset of those bytes under that path; returns whether it is new.

        Raises:
            BlobGoneError: there are no such bytes any more.
        """
        params = {
            "id": uuid7(),
            "workspace_id": workspace_id,
            "blob_id": blob_id,
            "file_path": file_path,
            "content_type": content_type,
            "tags": tags,
            "expires_in_s": expires_in_s,
        }
        try:
            row = await self.database.one(MINT, params)
        except ForeignKeyViolation as error:
            raise BlobGoneError from error
        assert row is not None, "an upsert returns its row"
        is_new = row.pop("made")
        return Asset(**row), is_new

    async def delete(self, workspace_id: UUID, asset_id: UUID) -> bool:
        """Delete an upload's record, unless a live job names it."""
        return bool(await self.database.one(DELETE, {"id": asset_id, "workspace_id": workspace_id}))
