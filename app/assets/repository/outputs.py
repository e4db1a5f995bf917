"""SQL of outputs before they are published: a place of its own for each file of each run."""

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from psycopg.errors import UniqueViolation

from app.assets.models import NewOutput
from app.db.postgres import Database

REGISTER: LiteralString = """
with run as (
    select j.id, j.workspace_id,
        used.alike < %(max_outputs)s and used.bytes + %(size_bytes)s <= %(max_output_bytes)s as has_room
    from app.jobs j cross join lateral (
        -- Thumbnails are counted by themselves: as many as outputs, and never instead of one.
        select count(*) filter (where (a.kind = 'thumbnail') = (%(kind)s = 'thumbnail')) as alike,
            coalesce(sum(b.size_bytes), 0) as bytes
        from app.assets a join app.blobs b on b.id = a.blob_id
        where a.job_id = j.id and a.epoch = j.epoch) as used
    where j.id = %(job_id)s and j.epoch = %(epoch)s and j.status = 'running'
), blob as (
    insert into app.blobs (id, workspace_id, size_bytes, storage_key, loose_since)
    select %(id)s, workspace_id, %(size_bytes)s,
        workspace_id || '/' || id || '/' || %(epoch)s || '/' || %(id)s, null
    from run where has_room
    returning id, workspace_id, storage_key
), asset as (
    insert into app.assets (id, workspace_id, blob_id, file_path, content_type, job_id, epoch, node_id, kind)
    select id, workspace_id, id, %(name)s, %(content_type)s, %(job_id)s, %(epoch)s, %(node_id)s, %(kind)s
    from blob
)
select has_room, (select storage_key from blob) as storage_key from run
"""
REGISTERED: LiteralString = """
select b.storage_key, b.size_bytes from app.assets a join app.blobs b on b.id = a.blob_id
where a.id = %(id)s and a.job_id = %(job_id)s and a.epoch = %(epoch)s
"""


class NameTakenError(Exception):
    """Another output of the same run has that name."""


class NoRoomError(Exception):
    """The run has used up its outputs, in number or in bytes."""


@dataclass(frozen=True, slots=True)
class OutputRepository:
    """Outputs of runs. The two limits are those of one run."""

    database: Database
    max_outputs: int
    max_output_bytes: int

    async def register(
        self, job_id: UUID, epoch: int, asset_id: UUID, output: NewOutput
    ) -> str | None:
        """Reserve a place for an output of a live run; returns its key, None if the run is fenced.

        Raises:
            NameTakenError: the run has an output of that name.
            NoRoomError: a limit is reached.
        """
        params = {
            "id": asset_id,
            "job_id": job_id,
            "epoch": epoch,
            "node_id": output.node_id,
            "name": output.name,
            "kind": output.kind,
            "content_type": output.content_type,
            "size_bytes": output.size_bytes,
            "max_outputs": self.max_outputs,
            "max_output_bytes": self.max_output_bytes,
        }
        try:
            row = await self.database.one(REGISTER, params)
        except UniqueViolation as error:
            raise NameTakenError(output.name) from error
        if row is None:
            return None
        if not row["has_room"]:
            raise NoRoomError
        return row["storage_key"]

    async def registered(self, job_id: UUID, epoch: int, asset_id: UUID) -> tuple[str, int] | None:
        """Key and size of a registered output of that run."""
        row = await self.database.one(
            REGISTERED, {"id": asset_id, "job_id": job_id, "epoch": epoch}
        )
        return (row["storage_key"], row["size_bytes"]) if row else None
