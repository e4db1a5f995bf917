"""Rows and values of the registry."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.workflows.bindings.models import Bindings

JsonObject = dict[str, Any]

MAX_NOTES_LENGTH: Final = 2_000
MAX_ALIASES: Final = 32
"""Of one workflow."""


@dataclass(frozen=True, slots=True)
class Workflow:
    """A name, and which of its versions the words lead to."""

    name: str
    newest: int
    """Number of its newest version, and so how many it has."""
    aliases: Mapping[str, int]
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


@dataclass(frozen=True, slots=True)
class NewVersion:
    """Everything a push writes."""

    workspace_id: UUID
    name: str
    graph: JsonObject
    source: JsonObject | None
    bindings: Bindings
    environment: str
    notes: str


@dataclass(frozen=True, slots=True)
class Version:
    """A version as it is listed."""

    workflow: str
    number: int
    environment: str
    notes: str
    content_hash: bytes
    has_source: bool
    created_at: datetime
    aliases: list[str]


@dataclass(frozen=True, slots=True)
class Content:
    """What a version runs: immutable, so it may be kept."""

    graph: JsonObject
    bindings: Bindings
    environment: str


@dataclass(frozen=True, slots=True)
class WholeVersion:
    """A version with its content."""

    version: Version
    content: Content


@dataclass(frozen=True, slots=True)
class Pinned:
    """The version that a job runs, whatever its name leads to later."""

    id: UUID
    workflow: str
    number: int
    content: Content
