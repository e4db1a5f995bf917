"""What a workspace may do with its registry: push, edit, look, point, roll back, archive."""

import asyncio
import base64
import binascii
import logging
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.config import Settings
from app.errors import AppError, NotFoundError
from app.workflows.bindings.models import Bindings
from app.workflows.environments.repository import Environment
from app.workflows.environments.service import EnvironmentService, ObjectInfo
from app.workflows.intake import Taken, bindings_of, missing_models, take
from app.workflows.registry.diff import difference
from app.workflows.registry.editing import Edits, edited
from app.workflows.registry.kept import KeptContents
from app.workflows.registry.models import (
    MAX_ALIASES,
    JsonObject,
    NewVersion,
    Pinned,
    Version,
    WholeVersion,
    Workflow,
)
from app.workflows.registry.names import LATEST, Reference, Selector, is_name
from app.workflows.registry.repository.reading import NoSuchVersionError, RegistryReader, Resolved
from app.workflows.registry.repository.writing import AliasLimitError, NoRoom, RegistryWriter

log = logging.getLogger(__name__)

_NO_NUMBER: Final = 2**31 - 1
"""Above every version."""


@dataclass(frozen=True, slots=True)
class Push:
    """What a caller wants to be kept."""

    name: str
    document: JsonObject
    """In API format, or as the editor saves it."""
    bindings: Bindings | None
    environment: str
    notes: str
    ui: JsonObject | None = None
    """The editor's file, where one came beside a graph."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Two versions, and what is different."""

    old: int
    new: int
    changes: JsonObject


@dataclass(frozen=True, slots=True)
class RegistryService:
    """Workflows of a workspace."""

    reader: RegistryReader
    writer: RegistryWriter
    environments: EnvironmentService
    settings: Settings

    async def push(self, workspace_id: UUID, push: Push) -> tuple[WholeVersion, bool, list[str]]:
        """Keep a workflow; returns its version, whether it is new, and remarks for people.

        Raises:
            AppError: 409 `workflow_archived`, `workflow_limit`, `version_limit`, 422
                `invalid_workflow`, `workflow_format_ui`, `workflow_too_large`, `invalid_bindings`.
        """
        environment, object_info = await self.environments.get(push.environment)
        # Large files take a while to convert; nobody else waits for them.
        new, remarks = await asyncio.to_thread(
            self._understood, workspace_id, push, environment, object_info
        )
        version, is_new = await self._record(new)
        return version, is_new, remarks

    def _understood(
        self,
        workspace_id: UUID,
        push: Push,
        environment: Environment | None,
        object_info: ObjectInfo | None,
    ) -> tuple[NewVersion, list[str]]:
        taken = take(push.document, push.ui, object_info, self.settings)
        graph, bindings = bindings_of(taken, push.bindings, object_info, environment)
        new = NewVersion(
            workspace_id=workspace_id,
            name=push.name,
            graph=graph,
            source=taken.source,
            bindings=bindings,
            environment=push.environment,
            notes=push.notes,
        )
        return new, [*taken.remarks, *missing_models(graph, taken.source, object_info)]

    async def edit(
        self, workspace_id: UUID, wanted: Reference, inputs: Edits, outputs: Edits, notes: str
    ) -> tuple[WholeVersion, bool]:
        """A version like that one but for its bindings; returns it and whether it is new.

        Raises:
            NotFoundError: there is no such workflow or version
            AppError: 409 as `push`, 422 `invalid_bindings`.
        """
        old = await self.version(workspace_id, wanted)
        content = old.content
        _, source = await self.reader.source(workspace_id, _numbered(old.version))
        made = edited(content.bindings, inputs, outputs)
        environment, object_info = await self.environments.get(content.environment)
        graph, bindings = bindings_of(Taken(content.graph, source), made, object_info, environment)
        return await self._record(
            NewVersion(
                workspace_id=workspace_id,
                name=wanted.name,
                graph=graph,
                source=source,
                bindings=bindings,
                environment=content.environment,
                notes=notes,
            )
        )

    async def _record(self, new: NewVersion) -> tuple[WholeVersion, bool]:
        pushed = await self.writer.push(new)
        if isinstance(pushed, NoRoom):
            raise self._refused(pushed, new.name)
        log.info(
            "workflow pushed",
            extra={
                "workspace_id": new.workspace_id,
                "workflow": f"{new.name}@{pushed.number}",
                "is_new": pushed.is_new,
            },
        )
        reference = Reference(new.name, Selector(number=pushed.number))
        return await self.version(new.workspace_id, reference), pushed.is_new

    def _refused(self, why: NoRoom, name: str) -> AppError:
        match why:
            case NoRoom.ARCHIVED:
                return archived(name)
            case NoRoom.WORKFLOWS:
                return AppError(
                    409,
                    "workflow_limit",
                    f"A workspace may have {self.settings.max_workflows} workflows, archived ones "
                    "included.",
                )
            case NoRoom.VERSIONS:
                return AppError(
                    409,
                    "version_limit",
                    f"A workflow may have {self.settings.max_workflow_versions} versions. Push it "
                    "under another name.",
                )

    async def get(self, workspace_id: UUID, name: str) -> Workflow:
        """The workflow; raises NotFoundError."""
        workflow = await self.reader.get(workspace_id, name) if is_name(name) else None
        if workflow is None:
            raise NotFoundError("workflow")
        return workflow

    async def version(self, workspace_id: UUID, wanted: Reference) -> WholeVersion:
        """A version, whole; raises NotFoundError."""
        try:
            found = await self.reader.version(workspace_id, wanted)
        except NoSuchVersionError as error:
            raise NotFoundError("version") from error
        if found is None:
            raise NotFoundError("workflow")
        return found

    async def source(self, workspace_id: UUID, wanted: Reference) -> JsonObject:
        """The editor's file of a version; raises NotFoundError."""
        try:
            known, source = await self.reader.source(workspace_id, wanted)
        except NoSuchVersionError as error:
            raise NotFoundError("version") from error
        if not known:
            raise NotFoundError("workflow")
        if source is None:
            raise NotFoundError("source")
        return source

    async def diff(self, workspace_id: UUID, name: str, old: Selector, new: Selector) -> Difference:
        """What is different between two versions; raises NotFoundError."""
        before = await self.version(workspace_id, Reference(name, old))
        after = await self.version(workspace_id, Reference(name, new))
        changes = difference(before.content, after.content)
        return Difference(before.version.number, after.version.number, changes)

    async def point(self, workspace_id: UUID, name: str, alias: str, to: Selector) -> Workflow:
        """Let a word lead to a version; raises NotFoundError, AppError 409 `alias_limit`."""
        try:
            number = await self.writer.point(workspace_id, name, alias, to)
        except AliasLimitError as error:
            raise AppError(
                409,
                "alias_limit",
                f"A workflow may have {MAX_ALIASES} aliases; delete one first.",
            ) from error
        workflow = await self.get(workspace_id, name)
        if number is None:
            raise NotFoundError("version")
        return workflow

    async def drop_alias(self, workspace_id: UUID, name: str, alias: str) -> None:
        """Let a word lead nowhere.

        Raises:
            NotFoundError: there is no such workflow or word
            AppError: 409 `alias_needed` of `latest`, which every workflow has.
        """
        if alias == LATEST:
            raise AppError(409, "alias_needed", "Every workflow has a `latest`; it can be moved.")
        if not await self.writer.drop_alias(workspace_id, name, alias):
            await self.get(workspace_id, name)
            raise NotFoundError("alias")

    async def roll_back(
        self, workspace_id: UUID, name: str, alias: str, to: Selector | None
    ) -> Workflow:
        """Let a word lead to an earlier version: the one named, or the one before.

        Raises:
            NotFoundError: there is no such workflow, version or word
            AppError: 409 `no_earlier_version`, `alias_limit`.
        """
        if to is not None:
            return await self.point(workspace_id, name, alias, to)
        number = await self.writer.roll_back(workspace_id, name, alias)
        workflow = await self.get(workspace_id, name)
        if number is not None:
            return workflow
        if alias not in workflow.aliases:
            raise NotFoundError("alias")
        raise AppError(
            409, "no_earlier_version", f"{alias!r} leads to version 1: nothing was before it."
        )

    async def archive(self, workspace_id: UUID, name: str, *, archived: bool) -> Workflow:
        """Put it away, or take it back; raises NotFoundError."""
        await self.writer.archive(workspace_id, name, archived=archived)
        return await self.get(workspace_id, name)

    async def page(
        self, workspace_id: UUID, *, cursor: str | None, archived: bool, limit: int
    ) -> tuple[list[Workflow], str | None]:
        """By name, and the cursor of the next page; raises AppError `invalid_cursor`."""
        after = _read_cursor(cursor) if cursor else ""
        found = await self.reader.list(
            workspace_id, after=after, archived=archived, limit=limit + 1
        )
        if len(found) <= limit:
            return found, None
        return found[:limit], _cursor(found[limit - 1].name)

    async def versions(
        self, workspace_id: UUID, name: str, *, cursor: str | None, limit: int
    ) -> tuple[list[Version], str | None]:
        """Newest first, and the cursor of the next page; raises NotFoundError, AppError."""
        before = _NO_NUMBER
        if cursor:
            selector = Selector.parse(_read_cursor(cursor))
            if selector is None or selector.number is None:
                raise _invalid_cursor()
            before = selector.number
        found = await self.reader.versions(workspace_id, name, before=before, limit=limit + 1)
        if not found:
            await self.get(workspace_id, name)
        if len(found) <= limit:
            return found, None
        return found[:limit], _cursor(str(found[limit - 1].number))


@dataclass(frozen=True, slots=True)
class PinService:
    """Resolves what jobs name, with one statement whatever they name."""

    reader: RegistryReader
    kept: KeptContents

    async def pin(self, workspace_id: UUID, wanted: Reference) -> Pinned:
        """The version that a reference leads to now.

        Raises:
            NotFoundError: there is no such workflow or version
            AppError: 409 `workflow_archived`.
        """
        key = (workspace_id, wanted.name)
        known = self.kept.of(key)
        try:
            found: Resolved | None = await self.reader.resolve(workspace_id, wanted, list(known))
        except NoSuchVersionError as error:
            raise NotFoundError("version") from error
        if found is None:
            raise NotFoundError("workflow")
        if found.archived:
            raise archived(wanted.name)
        content = found.content or known[found.id]
        self.kept.used(key, found.id, content)
        return Pinned(found.id, wanted.name, found.number, content)


def archived(name: str) -> AppError:
    """409: nothing of it runs and nothing is pushed until it is restored."""
    return AppError(
        409,
        "workflow_archived",
        f"The workflow {name!r} is archived. Restore it: POST /workflows/{name}/restore.",
    )


def _numbered(version: Version) -> Reference:
    return Reference(version.workflow, Selector(number=version.number))


def _cursor(place: str) -> str:
    # A place, nothing else: the workspace always comes from the caller's key.
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> str:
    try:
        place = base64.b64decode(
            cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        ).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise _invalid_cursor() from error
    if not place.isprintable() or not place:
        raise _invalid_cursor()
    return place


def _invalid_cursor() -> AppError:
    return AppError(400, "invalid_cursor", "This cursor is not one of ours.")
