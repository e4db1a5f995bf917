"""Rows and values of jobs."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from app.events.hub import Lifetime, Move
from app.events.repository import JobEvent
from app.jobs.transitions import TERMINAL, PublicStatus, Status, public_status
from app.workflows.registry.models import Pinned
from app.workflows.registry.names import Selector

JsonObject = dict[str, Any]

MAX_LOG_BYTES: Final = 1_048_576
"""Of one job; about 10,000 lines."""


@dataclass(frozen=True, slots=True)
class JobInput:
    """A file the graph names."""

    asset_id: UUID
    file_name: str


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """Where the end of one job is to be told, and what signs it if the workspace has nothing yet."""

    url: str
    signer_id: UUID
    signer_secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewJob:
    """Everything one submit writes."""

    id: UUID
    workspace_id: UUID
    backend: str
    backend_reason: str
    environment: str
    graph: JsonObject
    graph_hash: bytes
    """sha256, to know a workflow again that killed its workers."""
    inputs: list[JobInput]
    metadata: dict[str, str]
    tags: list[str]
    priority: int
    max_tries: int
    start_within_s: float
    deadline_s: float
    retention_s: float
    idempotency_key: str | None
    request_hash: bytes | None
    secrets: bytes | None = field(repr=False)
    webhook: NewWebhook | None = None
    strip_metadata: bool = False
    version: Pinned | None = None
    """The version it runs, where a workflow was named."""
    workflow_inputs: JsonObject | None = None
    """What that was given by name, random seeds as they were drawn."""

    @property
    def workflow(self) -> JsonObject | None:
        """As the job shows it."""
        version = self.version
        return {"name": version.workflow, "version": version.number} if version else None


@dataclass(frozen=True, slots=True)
class Job:
    """A job as callers see it."""

    id: UUID
    workspace_id: UUID
    status: Status
    backend: str
    backend_reason: str
    environment: str
    outputs: list[JsonObject]
    progress: JsonObject | None
    metadata: dict[str, str]
    tags: list[str]
    log_bytes: int
    epoch: int
    tries: int
    max_tries: int
    seq: int
    priority: int
    run_after: datetime
    cancel_requested_at: datetime | None
    error: JsonObject | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    expires_at: datetime
    queue_position: int | None
    retry_of: UUID | None
    workflow: JsonObject | None
    """`name` and `version`, where one was named."""
    workflow_inputs: JsonObject | None

    @property
    def public_status(self) -> PublicStatus:
        """v2's word."""
        return public_status(self.status, cancel_requested=self.cancel_requested_at is not None)

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended for good."""
        return self.status in TERMINAL


@dataclass(frozen=True, slots=True)
class JobLog:
    """The log lines of a job, oldest first."""

    job: Job
    lines: list[JobEvent]


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs a list is to show: those that meet every condition that is given."""

    statuses: list[PublicStatus] = field(default_factory=list[PublicStatus])
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    tags: list[str] = field(default_factory=list[str])
    environment: str | None = None
    workflow: str | None = None
    """By name; of every version, unless one is chosen."""
    workflow_version: Selector | None = None


@dataclass(frozen=True, slots=True)
class Moved:
    """What a transition did to a job: enough to tell its readers after the commit."""

    id: UUID
    workspace_id: UUID
    status: Status
    seq: int
    epoch: int
    lifetime: Lifetime | None = None
    notifies: bool = False
    """Its end wrote webhook deliveries, which are due now."""
    cancel: bool = False
    """Somebody wants it canceled."""

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended."""
        return self.status in TERMINAL

    def ids(self) -> dict[str, object]:
        """What every log line about it carries."""
        return {"job_id": self.id, "workspace_id": self.workspace_id, "epoch": self.epoch}

    def told(self, *, started: bool = False) -> Move:
        """What readers are told of it."""
        return Move(
            job_id=self.id,
            workspace_id=self.workspace_id,
            seq=self.seq,
            status=self.status,
            ended=self.is_terminal,
            started=started,
            lifetime=self.lifetime,
            notifies=self.notifies,
        )


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that was just started."""

    moved: Moved
    environment: str
    graph: JsonObject
    inputs: list[JobInput]
    secrets: bytes | None = field(repr=False)
    deadline_in_s: float
    strip_metadata: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a job stands when a write of an executor was refused."""

    status: Status
    epoch: int
    client_seq: int
