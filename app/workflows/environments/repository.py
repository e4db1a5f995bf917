"""SQL of environments: what registered workers can run."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.types.json import Json, Jsonb

from app.db.postgres import Database, Params

_REGISTER = """
insert into app.environments (name, digest, backend, workspaces, comfyui_version, is_engine,
    python_version, devices, object_info, output_kinds)
values (%(name)s, %(digest)s, %(backend)s, %(workspaces)s, %(comfyui_version)s, %(is_engine)s,
    %(python_version)s, %(devices)s, %(object_info)s, %(output_kinds)s)
on conflict (name, digest) do update set backend = excluded.backend,
    workspaces = excluded.workspaces, devices = excluded.devices, registered_at = now()
"""
_NEWEST = """
select name, digest, backend, workspaces, comfyui_version, is_engine, registered_at
from app.environments where name = %(name)s order by registered_at desc limit 1
"""
_ALL = """
select distinct on (name) name, digest, backend, workspaces, comfyui_version, is_engine, registered_at
from app.environments order by name, registered_at desc
"""
_OBJECT_INFO = """
select object_info from app.environments where name = %(name)s and digest = %(digest)s
"""


@dataclass(frozen=True, slots=True)
class Environment:
    """The newest registration of a name, without its object_info."""

    name: str
    digest: str
    backend: str
    workspaces: list[UUID] | None
    comfyui_version: str
    is_engine: bool
    registered_at: datetime

    def serves(self, workspace_id: UUID) -> bool:
        """Whether its workers may run jobs of that workspace."""
        return self.workspaces is None or workspace_id in self.workspaces


@dataclass(frozen=True, slots=True)
class NewEnvironment:
    """A registration to store."""

    name: str
    digest: str
    backend: str
    workspaces: list[UUID] | None
    comfyui_version: str
    is_engine: bool
    python_version: str
    devices: list[dict[str, Any]]
    object_info: dict[str, Any]
    output_kinds: list[str]


@dataclass(frozen=True, slots=True)
class EnvironmentRepository:
    """Registrations."""

    database: Database

    async def register(self, new: NewEnvironment) -> None:
        """Store, or freshen an equal one."""
        params: Params = {
            "name": new.name,
            "digest": new.digest,
            "backend": new.backend,
            "workspaces": new.workspaces,
            "comfyui_version": new.comfyui_version,
            "is_engine": new.is_engine,
            "python_version": new.python_version,
            "devices": Jsonb(new.devices),
            "object_info": Json(new.object_info),
            "output_kinds": new.output_kinds,
        }
        await self.database.run(_REGISTER, params)

    async def newest(self, name: str) -> Environment | None:
        """The newest registration of that name."""
        row = await self.database.one(_NEWEST, {"name": name})
        return Environment(**row) if row else None

    async def all(self) -> list[Environment]:
        """The newest of each name."""
        return [Environment(**row) for row in await self.database.all(_ALL)]

    async def object_info(self, name: str, digest: str) -> dict[str, Any] | None:
        """What its ComfyUI says of its nodes."""
        row = await self.database.one(_OBJECT_INFO, {"name": name, "digest": digest})
        return row["object_info"] if row else None
