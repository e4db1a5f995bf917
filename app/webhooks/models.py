"""Rows and values of webhooks: endpoints, deliveries, attempts, and the limits of each."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

JsonObject = dict[str, Any]

JobEvent = Literal["job.succeeded", "job.failed", "job.canceled", "job.expired"]
"""One for each way in which a job can end."""
Event = Literal["job.succeeded", "job.failed", "job.canceled", "job.expired", "webhook.test"]
Filter = Literal["*", "job.succeeded", "job.failed", "job.canceled", "job.expired"]
DeliveryStatus = Literal["pending", "delivered", "exhausted", "dropped"]
DisabledReason = Literal["gone", "failing"]

TEST_EVENT: Final = "webhook.test"
MAX_DESCRIPTION: Final = 500
MAX_TRIES: Final = 30
"""Attempts of one delivery, those asked for by hand included."""
MAX_TESTS_A_MINUTE: Final = 10
"""Of one endpoint."""
MAX_OVERLAP_S: Final = 7 * 86_400
OVERLAP_S: Final = 86_400
"""How long the secret before the newest one still signs, where nothing else is said."""
MAX_REPLY_BYTES: Final = 65_536
"""Of a reply, read."""
KEPT_REPLY_CHARS: Final = 1_024
"""Of a reply, kept for its owner to see."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a workspace wants to be told, and of what."""

    id: UUID
    workspace_id: UUID
    url: str | None
    """None: the workspace's own, which signs for jobs that bring their `webhook_url`."""
    description: str
    events: list[Filter]
    enabled: bool
    disabled_reason: DisabledReason | None
    secret: bytes = field(repr=False)
    """Sealed."""
    old_secret_until: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewSigner:
    """A fresh id with its sealed secret."""

    id: UUID
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one call."""

    at: datetime
    status_code: int | None
    """None: nothing was answered."""
    duration_ms: int
    error: str | None
    reply: str | None
    """Its beginning, without what a terminal or a page could trip over."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one receiver, and every attempt to tell it."""

    id: UUID
    endpoint_id: UUID | None
    """None: of the `webhook_url` of the job."""
    job_id: UUID | None
    event: Event
    url: str
    status: DeliveryStatus
    tries: int
    attempts: list[JsonObject]
    next_attempt_at: datetime | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that was taken for one attempt."""

    id: UUID
    workspace_id: UUID
    endpoint_id: UUID
    job_id: UUID | None
    event: Event
    url: str
    payload: str | None
    tries: int
    """Attempts begun, this one included: the fence of its result."""
    is_wanted: bool
    """False: its endpoint was disabled or deleted meanwhile."""
    secret: bytes = field(repr=False)
    old_secret: bytes | None = field(repr=False)
    """Signs as well while a rotation lasts."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries a list is to show: those that meet every condition that is given."""

    status: DeliveryStatus | None = None
    event: Event | None = None
    job_id: UUID | None = None
    endpoint_id: UUID | None = None
