"""Public JSON of webhooks: endpoints, secrets, deliveries."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from app.safe_http import MAX_URL_LENGTH
from app.webhooks.models import (
    MAX_DESCRIPTION,
    MAX_OVERLAP_S,
    OVERLAP_S,
    Delivery,
    DeliveryStatus,
    DisabledReason,
    Endpoint,
    Event,
    Filter,
    JsonObject,
)

_STRICT = ConfigDict(extra="forbid", strict=True)

Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_URL_LENGTH,
        description="`https://` on port 443 or `http://` on port 80, of a public address, without "
        "user and password. It is called as it is: what stands in its query comes with every call.",
        examples=["https://example.com/hooks/comfy"],
    ),
]
Filters = Annotated[
    list[Filter],
    Field(
        min_length=1,
        max_length=8,
        description="Which events it is told of; `*` is all.",
        examples=[["job.succeeded", "job.failed"]],
    ),
]
Description = Annotated[str, Field(max_length=MAX_DESCRIPTION, description="For people.")]


class EndpointRequest(BaseModel):
    """A receiver to be told of the jobs of the workspace."""

    model_config = _STRICT

    url: Url
    events: Filters = Field(default_factory=lambda: list[Filter](["*"]))
    description: Description = ""
    enabled: bool = Field(default=True, description="False: kept, and told of nothing.")


class EndpointPatch(BaseModel):
    """What is to be different; what is absent stays as it is."""

    model_config = _STRICT

    url: Url | SkipJsonSchema[None] = None
    events: Filters | SkipJsonSchema[None] = None
    description: Description | SkipJsonSchema[None] = None
    enabled: bool | SkipJsonSchema[None] = Field(
        default=None,
        description="False drops what waits for it. True also takes back that we disabled it.",
    )


class RotateRequest(BaseModel):
    """How the old secret goes."""

    model_config = _STRICT

    overlap_s: int = Field(
        default=OVERLAP_S,
        ge=0,
        le=MAX_OVERLAP_S,
        description="Seconds for which the old secret signs beside the new one. 0: it has leaked.",
        examples=[3_600],
    )


class EndpointOut(BaseModel):
    """A receiver."""

    id: UUID
    url: str
    events: list[Filter]
    description: str
    enabled: bool
    disabled_reason: DisabledReason | None = Field(
        description="Why we disabled it: `gone`, it answered 410; `failing`, a delivery had its ten "
        "attempts and none to it succeeded since. Null where we did not."
    )
    old_secret_until: datetime | None = Field(
        description="While a rotation lasts: until then calls carry two signatures."
    )
    created_at: datetime
    updated_at: datetime


class EndpointWithSecretOut(EndpointOut):
    """A receiver with its secret, which is shown here and never again."""

    secret: str = Field(description="`whsec_…`, as every Standard Webhooks library takes it.")


class EndpointsOut(BaseModel):
    """All of a workspace, oldest first."""

    endpoints: list[EndpointOut]


class SecretOut(BaseModel):
    """What signs calls to the `webhook_url` of jobs."""

    secret: str = Field(description="`whsec_…`, as every Standard Webhooks library takes it.")
    old_secret_until: datetime | None = Field(
        description="While a rotation lasts: until then calls carry two signatures."
    )


class AttemptOut(BaseModel):
    """One call."""

    at: datetime
    status_code: int | None = Field(description="Null: nothing was answered.")
    duration_ms: int
    error: Literal["unreachable", "unsigned", "internal"] | None = Field(
        description="`unreachable`: the URL may not be reached, could not be, or did not answer in "
        "time; one word for all, on purpose. `unsigned`: the secret cannot be read, rotate it. "
        "`internal`: a bug of ours, see the log."
    )
    reply: str | None = Field(description="The first 1,024 characters of the answer.")


class DeliveryOut(BaseModel):
    """One event for one receiver."""

    id: UUID = Field(description="`webhook-id` of every call: drop what you know.")
    event: Event
    status: DeliveryStatus = Field(
        description="`pending → delivered | exhausted | dropped`. `exhausted`: no attempt is left. "
        "`dropped`: its endpoint was disabled or deleted, or answered 410."
    )
    endpoint_id: UUID | None = Field(description="Null: it goes to the `webhook_url` of its job.")
    job_id: UUID | None = Field(description="Null of a test.")
    url: str
    tries: int = Field(description="Attempts begun.")
    attempts: list[AttemptOut] = Field(description="What came of them, oldest first.")
    next_attempt_at: datetime | None = Field(
        description="Null while one is under way, and at the end."
    )
    created_at: datetime = Field(description="When the event happened.")
    ended_at: datetime | None


class DeliveryPage(BaseModel):
    """Newest first."""

    model_config = ConfigDict(json_schema_mode_override="validation")

    deliveries: list[DeliveryOut]
    next_cursor: str | SkipJsonSchema[None] = Field(
        default=None, description="Pass it as `cursor`; absent on the last page."
    )


def render_endpoint(endpoint: Endpoint, secret: str | None = None) -> JsonObject:
    """A receiver, with its secret where that is shown."""
    body: JsonObject = {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": endpoint.events,
        "description": endpoint.description,
        "enabled": endpoint.enabled,
        "disabled_reason": endpoint.disabled_reason,
        "old_secret_until": endpoint.old_secret_until,
        "created_at": endpoint.created_at,
        "updated_at": endpoint.updated_at,
    }
    return body if secret is None else {**body, "secret": secret}


def render_delivery(delivery: Delivery) -> JsonObject:
    """A delivery with its attempts."""
    return {
        "id": delivery.id,
        "event": delivery.event,
        "status": delivery.status,
        "endpoint_id": delivery.endpoint_id,
        "job_id": delivery.job_id,
        "url": delivery.url,
        "tries": delivery.tries,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at,
        "created_at": delivery.created_at,
        "ended_at": delivery.ended_at,
    }
