"""SQL that changes the registry: push, point, archive. The database decides who was first.

Versions are never changed and never deleted; what moves is which of them a word leads to.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import LiteralString
from uuid import UUID

import orjson
from psycopg.types.json import Json

from app.db.postgres import Database
from app.ids import uuid7
from app.workflows.registry.models import MAX_ALIASES, NewVersion
from app.workflows.registry.names import LATEST, Selector

# Changes of a workspace come one after the other: two at once must not both find room for the last
# workflow or word, nor give two contents one number.
ONE_AT_A_TIME: LiteralString = """
select 1 from app.workspaces where id = %(workspace_id)s for no key update
"""
PUSH: LiteralString = """
with known as (
    select id, newest, archived_at is not null as archived from app.workflows
    where workspace_id = %(workspace_id)s and name = %(name)s
), made as (
    insert into app.workflows (id, workspace_id, name)
    select %(workflow_id)s, %(workspace_id)s, %(name)s
    where not exists (select 1 from known)
      and (select count(*) from app.workflows where workspace_id = %(workspace_id)s) < %(max_workflows)s
    returning id
), target as (
    select id, newest from known where not archived
    union all
    select id, 0 from made
), same as (
    select v.workflow_id, v.number from app.workflow_versions v join target on v.workflow_id = target.id
    where v.content_hash = %(content_hash)s
), added as (
    insert into app.workflow_versions (id, workflow_id, number, graph, source, bindings, environment,
        notes, content_hash)
    select %(id)s, id, newest + 1, %(graph)s, %(source)s, %(bindings)s, %(environment)s, %(notes)s,
        %(content_hash)s
    from target where newest < %(max_versions)s and not exists (select 1 from same)
    returning workflow_id, number
), pushed as (
    select workflow_id, number, true as is_new from added
    union all
    select workflow_id, number, false from same
), counted as (
    update app.workflows w set newest = greatest(w.newest, pushed.number), updated_at = now()
    from pushed join known on known.id = pushed.workflow_id where w.id = known.id
), pointed as (
    insert into app.workflow_aliases (workflow_id, alias, number)
    select workflow_id, %(latest)s, number from pushed
    on conflict (workflow_id, alias) do update set number = excluded.number, moved_at = now()
)
select (select archived from known) as archived, (select number from pushed) as number,
    (select is_new from pushed) as is_new
"""
_MINE: LiteralString = "w.workspace_id = %(workspace_id)s and w.name = %(name)s"
# Nothing is pointed at what is not there.
POINT: LiteralString = f"""
with target as (
    select w.id, v.number from app.workflows w
    left join app.workflow_aliases a on a.workflow_id = w.id and a.alias = %(to_alias)s
    join app.workflow_versions v
        on v.workflow_id = w.id and v.number = coalesce(%(to_number)s::int, a.number)
    where {_MINE}
), pointed as (
    insert into app.workflow_aliases (workflow_id, alias, number)
    select id, %(alias)s, number from target
    where %(max_aliases)s > (select count(*) from app.workflow_aliases a
                             where a.workflow_id = target.id and a.alias <> %(alias)s)
    on conflict (workflow_id, alias) do update set number = excluded.number, moved_at = now()
    returning workflow_id
), told as (
    update app.workflows w set updated_at = now() from pointed where w.id = pointed.workflow_id
)
select number, exists (select 1 from pointed) as pointed from target
"""
# From where the word leads to the version before it: two calls at once go two steps back.
ROLL_BACK: LiteralString = f"""
with moved as (
    update app.workflow_aliases a set number = a.number - 1, moved_at = now() from app.workflows w
    where w.id = a.workflow_id and {_MINE} and a.alias = %(alias)s and a.number > 1
    returning a.workflow_id, a.number
), told as (
    update app.workflows w set updated_at = now() from moved where w.id = moved.workflow_id
)
select number from moved
"""
DROP_ALIAS: LiteralString = f"""
delete from app.workflow_aliases a using app.workflows w
where w.id = a.workflow_id and {_MINE} and a.alias = %(alias)s
"""
ARCHIVE: LiteralString = f"""
update app.workflows w set updated_at = now(),
    archived_at = case when %(archived)s then coalesce(w.archived_at, now()) end
where {_MINE}
"""


class NoRoom(StrEnum):
    """Why nothing was written."""

    ARCHIVED = "archived"
    WORKFLOWS = "workflows"
    VERSIONS = "versions"


@dataclass(frozen=True, slots=True)
class Pushed:
    """Which version a push led to, and whether it made it."""

    number: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class RegistryWriter:
    """Changes of the registry."""

    database: Database
    max_workflows: int
    max_versions: int

    async def push(self, new: NewVersion) -> Pushed | NoRoom:
        """Record a version, or find the one of the same content; `latest` leads to it."""
        async with self.database.transaction() as cursor:
            await cursor.execute(ONE_AT_A_TIME, {"workspace_id": new.workspace_id})
            await cursor.execute(
                PUSH,
                {
                    "id": uuid7(),
                    "workflow_id": uuid7(),
                    "workspace_id": new.workspace_id,
                    "name": new.name,
                    "graph": Json(new.graph),
                    "source": Json(new.source) if new.source is not None else None,
                    "bindings": Json(new.bindings.model_dump(mode="json")),
                    "environment": new.environment,
                    "notes": new.notes,
                    "content_hash": content_hash(new),
                    "latest": LATEST,
                    "max_workflows": self.max_workflows,
                    "max_versions": self.max_versions,
                },
            )
            row = await cursor.fetchone()
        assert row is not None
        if row["number"] is not None:
            return Pushed(row["number"], row["is_new"])
        match row["archived"]:
            case None:
                return NoRoom.WORKFLOWS
            case True:
                return NoRoom.ARCHIVED
            case _:
                return NoRoom.VERSIONS

    async def point(self, workspace_id: UUID, name: str, alias: str, to: Selector) -> int | None:
        """Let a word lead to a version; returns its number, None where there is no such version.

        Raises:
            AliasLimitError: the workflow has so many words.
        """
        async with self.database.transaction() as cursor:
            await cursor.execute(ONE_AT_A_TIME, {"workspace_id": workspace_id})
            await cursor.execute(
                POINT,
                {
                    "workspace_id": workspace_id,
                    "name": name,
                    "alias": alias,
                    "to_number": to.number,
                    "to_alias": to.alias,
                    "max_aliases": MAX_ALIASES,
                },
            )
            row = await cursor.fetchone()
        if row is None:
            return None
        if not row["pointed"]:
            raise AliasLimitError
        return row["number"]

    async def roll_back(self, workspace_id: UUID, name: str, alias: str) -> int | None:
        """Let a word lead to the version before; None where there is no such word, or none before."""
        params = {"workspace_id": workspace_id, "name": name, "alias": alias}
        row = await self.database.one(ROLL_BACK, params)
        return row["number"] if row else None

    async def drop_alias(self, workspace_id: UUID, name: str, alias: str) -> bool:
        """Let a word lead nowhere."""
        params = {"workspace_id": workspace_id, "name": name, "alias": alias}
        return await self.database.run(DROP_ALIAS, params) > 0

    async def archive(self, workspace_id: UUID, name: str, *, archived: bool) -> bool:
        """Put it away, or take it back; False where there is no such workflow."""
        params = {"workspace_id": workspace_id, "name": name, "archived": archived}
        return await self.database.run(ARCHIVE, params) > 0


class AliasLimitError(Exception):
    """A workflow has as many words as it may."""


def content_hash(new: NewVersion) -> bytes:
    """sha256 of what a version runs; neither its notes nor where its nodes lie in the editor."""
    content = {
        "graph": new.graph,
        "bindings": new.bindings.model_dump(mode="json", exclude_defaults=True),
        "environment": new.environment,
    }
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).digest()
