"""SQL of blobs and assets. Blobs are shared inside a workspace, never across."""

from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID

from psycopg.errors import UniqueViolation

from app.assets.models import Asset, Blob, NewOutput
from app.db.postgres import Database, Row
from app.ids import uuid7

_ASSET: LiteralString = """
select a.id, a.workspace_id, a.file_path, a.content_type, b.size_bytes, b.blake3, b.storage_key,
    a.created_at, a.expires_at, a.job_id
from app.assets a join app.blobs b on b.id = a.blob_id
"""
# An output is visible from the moment it is published, for as long as its job is.
_VISIBLE: LiteralString = """a.workspace_id = %(workspace_id)s
  and (a.expires_at is null or a.expires_at > now())
  and (a.job_id is null or (a.published_at is not null and exists (
      select 1 from app.jobs j
      where j.id = a.job_id and j.expires_at > now()
        and j.outputs @> jsonb_build_array(jsonb_build_object('asset_id', a.id)))))"""
GET: LiteralString = f"{_ASSET} where a.id = %(id)s and {_VISIBLE}"
BY_IDS: LiteralString = f"{_ASSET} where a.id = any(%(ids)s) and {_VISIBLE}"
NEWEST_OF_PATHS: LiteralString = f"""
select distinct on (a.file_path) a.id, a.workspace_id, a.file_path, a.content_type, b.size_bytes,
    b.blake3, b.storage_key, a.created_at, a.expires_at, a.job_id
from app.assets a join app.blobs b on b.id = a.blob_id
where a.file_path = any(%(paths)s) and a.job_id is null and {_VISIBLE}
order by a.file_path, a.touched_at desc
"""
BLOB: LiteralString = """
select id, blake3, size_bytes, storage_key from app.blobs
where workspace_id = %(workspace_id)s and blake3 = %(blake3)s and verified_at is not null
"""
ADD_BLOB: LiteralString = """
insert into app.blobs (id, workspace_id, blake3, size_bytes, storage_key, verified_at)
values (%(id)s, %(workspace_id)s, %(blake3)s, %(size_bytes)s, %(storage_key)s, now())
on conflict do nothing returning id
"""
# The same bytes under the same path are the same asset; asked for again it is the newest of its
# path, and its retention only grows.
MINT: LiteralString = """
insert into app.assets (id, workspace_id, blob_id, file_path, content_type, tags, expires_at)
values (%(id)s, %(workspace_id)s, %(blob_id)s, %(file_path)s, %(content_type)s, %(tags)s,
    now() + make_interval(secs => %(expires_in_s)s::double precision))
on conflict (workspace_id, blob_id, file_path) where job_id is null do update set
    touched_at = clock_timestamp(),
    expires_at = case when assets.expires_at is null or excluded.expires_at is null then null
                      else greatest(assets.expires_at, excluded.expires_at) end
returning id, id = %(id)s as made
"""
DELETE: LiteralString = """
delete from app.assets a
where a.id = %(id)s and a.workspace_id = %(workspace_id)s and a.job_id is null and not exists (
    select 1 from app.jobs j
    where j.workspace_id = %(workspace_id)s and j.status in ('queued', 'dispatched', 'running')
      and j.inputs @> jsonb_build_array(jsonb_build_object('asset_id', a.id)))
returning a.id
"""
REGISTER_OUTPUT: LiteralString = """
with room as (
    select j.id, j.workspace_id from app.jobs j
    where j.id = %(job_id)s and j.epoch = %(epoch)s and j.status = 'running'
), blob as (
    insert into app.blobs (id, workspace_id, size_bytes, storage_key)
    select %(id)s, workspace_id, %(size_bytes)s,
        workspace_id || '/' || id || '/' || %(epoch)s || '/' || %(id)s from room
    returning id, workspace_id, storage_key
), asset as (
    insert into app.assets (id, workspace_id, blob_id, file_path, content_type, job_id, epoch, node_id, kind)
    select id, workspace_id, id, %(name)s, %(content_type)s, %(job_id)s, %(epoch)s, %(node_id)s, %(kind)s
    from blob
)
select storage_key from blob
"""
OUTPUT_USE: LiteralString = """
select count(*) as outputs, coalesce(sum(b.size_bytes), 0)::bigint as bytes,
    coalesce(array_agg(a.file_path), '{}') as names
from app.assets a join app.blobs b on b.id = a.blob_id
where a.job_id = %(job_id)s and a.epoch = %(epoch)s
"""
REGISTERED: LiteralString = """
select b.storage_key, b.size_bytes from app.assets a join app.blobs b on b.id = a.blob_id
where a.id = %(id)s and a.job_id = %(job_id)s and a.epoch = %(epoch)s
"""


@dataclass(frozen=True, slots=True)
class OutputUse:
    """What one run has registered so far."""

    outputs: int
    bytes: int
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class AssetRepository:
    """Blobs and assets."""

    database: Database

    async def get(self, workspace_id: UUID, asset_id: UUID) -> Asset | None:
        """The asset, unless it is another's, expired, or an output that does not count."""
        row = await self.database.one(GET, {"id": asset_id, "workspace_id": workspace_id})
        return Asset(**row) if row else None

    async def by_ids(self, workspace_id: UUID, ids: list[UUID]) -> dict[UUID, Asset]:
        """Those of the assets that the workspace may use."""
        rows = await self.database.all(BY_IDS, {"ids": ids, "workspace_id": workspace_id})
        return {row["id"]: Asset(**row) for row in rows}

    async def newest_of_paths(self, workspace_id: UUID, paths: list[str]) -> dict[str, Asset]:
        """For each path the newest upload of that path."""
        params = {"paths": paths, "workspace_id": workspace_id}
        rows = await self.database.all(NEWEST_OF_PATHS, params)
        return {row["file_path"]: Asset(**row) for row in rows}

    async def blob(self, workspace_id: UUID, blake3: bytes) -> Blob | None:
        """The workspace's bytes of that hash."""
        row = await self.database.one(BLOB, {"workspace_id": workspace_id, "blake3": blake3})
        return Blob(**row) if row else None

    async def add_blob(
        self, workspace_id: UUID, blake3: bytes, size_bytes: int, storage_key: str
    ) -> tuple[Blob, bool]:
        """Record bytes that lie in storage; returns whether they are new to the workspace."""
        params = {
            "id": uuid7(),
            "workspace_id": workspace_id,
            "blake3": blake3,
            "size_bytes": size_bytes,
            "storage_key": storage_key,
        }
        made = await self.database.one(ADD_BLOB, params)
        blob = await self.blob(workspace_id, blake3)
        assert blob is not None, "made now, or by whom we collided with"
        return blob, made is not None

    async def mint(
        self,
        workspace_id: UUID,
        blob_id: UUID,
        file_path: str,
        content_type: str,
        *,
        tags: list[str],
        expires_in_s: int | None,
    ) -> tuple[UUID, bool]:
        """The asset of those bytes under that path; returns whether it is new."""
        row = await self.database.one(
            MINT,
            {
                "id": uuid7(),
                "workspace_id": workspace_id,
                "blob_id": blob_id,
                "file_path": file_path,
                "content_type": content_type,
                "tags": tags,
                "expires_in_s": expires_in_s,
            },
        )
        assert row is not None, "an upsert returns its row"
        return row["id"], row["made"]

    async def delete(self, workspace_id: UUID, asset_id: UUID) -> bool:
        """Delete an upload's record, unless a live job names it."""
        return bool(await self.database.one(DELETE, {"id": asset_id, "workspace_id": workspace_id}))

    async def output_use(self, job_id: UUID, epoch: int) -> OutputUse:
        """What that run has registered."""
        row = await self.database.one(OUTPUT_USE, {"job_id": job_id, "epoch": epoch})
        assert row is not None, "an aggregate has a row"
        return OutputUse(row["outputs"], row["bytes"], frozenset(row["names"]))

    async def register_output(
        self, job_id: UUID, epoch: int, asset_id: UUID, output: NewOutput
    ) -> str | None:
        """Reserve a place for an output of a live run; returns its key, None if the run is fenced.

        Raises:
            NameTakenError: the run has an output of that name.
        """
        params: dict[str, Any] = {
            "id": asset_id,
            "job_id": job_id,
            "epoch": epoch,
            "node_id": output.node_id,
            "name": output.name,
            "kind": output.kind,
            "content_type": output.content_type,
            "size_bytes": output.size_bytes,
        }
        try:
            row: Row | None = await self.database.one(REGISTER_OUTPUT, params)
        except UniqueViolation as error:
            raise NameTakenError(output.name) from error
        return row["storage_key"] if row else None

    async def registered(self, job_id: UUID, epoch: int, asset_id: UUID) -> tuple[str, int] | None:
        """Key and size of a registered output of that run."""
        row = await self.database.one(
            REGISTERED, {"id": asset_id, "job_id": job_id, "epoch": epoch}
        )
        return (row["storage_key"], row["size_bytes"]) if row else None


class NameTakenError(Exception):
    """Another output of the same run has that name."""
