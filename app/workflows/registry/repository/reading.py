"""Reads of the registry. Every statement carries the workspace."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from app.db.postgres import Database, Row
from app.workflows.bindings.models import Bindings
from app.workflows.registry.models import Content, JsonObject, Version, WholeVersion, Workflow
from app.workflows.registry.names import Reference, Selector

_WORKFLOW: LiteralString = """
select w.name, w.newest, w.created_at, w.updated_at, w.archived_at, coalesce(
    (select jsonb_object_agg(a.alias, a.number) from app.workflow_aliases a where a.workflow_id = w.id),
    '{}') as aliases
from app.workflows w
"""
GET: LiteralString = f"{_WORKFLOW} where w.workspace_id = %(workspace_id)s and w.name = %(name)s"
LIST: LiteralString = f"""
{_WORKFLOW} where w.workspace_id = %(workspace_id)s and w.name > %(after)s
  and (w.archived_at is not null) = %(archived)s
order by w.name limit %(limit)s
"""
_VERSION: LiteralString = """w.name as workflow, v.number, v.environment, v.notes, v.content_hash,
    v.source is not null as has_source, v.created_at,
    array(select a.alias from app.workflow_aliases a
          where a.workflow_id = w.id and a.number = v.number order by a.alias) as aliases"""
VERSIONS: LiteralString = f"""
select {_VERSION}
from app.workflows w join app.workflow_versions v on v.workflow_id = w.id
where w.workspace_id = %(workspace_id)s and w.name = %(name)s and v.number < %(before)s
order by v.number desc limit %(limit)s
"""
_CHOSEN: LiteralString = """
from app.workflows w
left join app.workflow_aliases chosen on chosen.workflow_id = w.id and chosen.alias = %(alias)s
left join app.workflow_versions v
    on v.workflow_id = w.id and v.number = coalesce(%(number)s::int, chosen.number)
where w.workspace_id = %(workspace_id)s and w.name = %(name)s
"""
VERSION: LiteralString = f"select {_VERSION}, v.graph, v.bindings {_CHOSEN}"
SOURCE: LiteralString = f"select v.number, v.source {_CHOSEN}"
# One statement for whatever a caller wrote; what this process knows already is not sent again.
RESOLVE: LiteralString = f"""
select v.id, v.number, v.environment, w.archived_at is not null as archived,
    case when v.id <> all(%(known)s::uuid[]) then v.graph end as graph,
    case when v.id <> all(%(known)s::uuid[]) then v.bindings end as bindings
{_CHOSEN}
"""


class NoSuchVersionError(Exception):
    """The workflow is there, the version is not."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a reference leads to now; `content` is None where the caller said that it knows it."""

    id: UUID
    number: int
    archived: bool
    content: Content | None


@dataclass(frozen=True, slots=True)
class RegistryReader:
    """Reads of the registry."""

    database: Database

    async def get(self, workspace_id: UUID, name: str) -> Workflow | None:
        """The workflow, unless it is another's."""
        row = await self.database.one(GET, {"workspace_id": workspace_id, "name": name})
        return Workflow(**row) if row else None

    async def versions(
        self, workspace_id: UUID, name: str, *, before: int, limit: int
    ) -> list[Version]:
        """Newest first, with numbers lower than `before`."""
        params = {"workspace_id": workspace_id, "name": name, "before": before, "limit": limit}
        return [Version(**row) for row in await self.database.all(VERSIONS, params)]

    async def version(self, workspace_id: UUID, wanted: Reference) -> WholeVersion | None:
        """A version with its content; None where there is no such workflow.

        Raises:
            NoSuchVersionError: it has no such version.
        """
        row = await self.database.one(VERSION, _params(workspace_id, wanted))
        if row is None:
            return None
        content = _content(_there(row))
        del row["graph"], row["bindings"]
        return WholeVersion(Version(**row), content)

    async def source(self, workspace_id: UUID, wanted: Reference) -> tuple[bool, JsonObject | None]:
        """Whether there is such a workflow, and the editor's file of the version.

        Raises:
            NoSuchVersionError: it has no such version.
        """
        row = await self.database.one(SOURCE, _params(workspace_id, wanted))
        return (False, None) if row is None else (True, _there(row)["source"])

    async def resolve(
        self, workspace_id: UUID, wanted: Reference, known: Sequence[UUID]
    ) -> Resolved | None:
        """What a submit needs to know; None where there is no such workflow.

        Raises:
            NoSuchVersionError: it has no such version.
        """
        row = await self.database.one(
            RESOLVE, {**_params(workspace_id, wanted), "known": list(known)}
        )
        if row is None:
            return None
        content = None if _there(row)["graph"] is None else _content(row)
        return Resolved(row["id"], row["number"], row["archived"], content)

    async def list(
        self, workspace_id: UUID, *, after: str, archived: bool, limit: int
    ) -> list[Workflow]:
        """By name."""
        params = {
            "workspace_id": workspace_id,
            "after": after,
            "archived": archived,
            "limit": limit,
        }
        return [Workflow(**row) for row in await self.database.all(LIST, params)]


def _params(workspace_id: UUID, wanted: Reference) -> dict[str, object]:
    version: Selector = wanted.version
    return {
        "workspace_id": workspace_id,
        "name": wanted.name,
        "number": version.number,
        "alias": version.alias,
    }


def _there(row: Row) -> Row:
    if row["number"] is None:
        raise NoSuchVersionError
    return row


def _content(row: Row) -> Content:
    return Content(row["graph"], Bindings.model_validate(row["bindings"]), row["environment"])
