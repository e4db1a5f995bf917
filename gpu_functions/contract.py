"""What the front door and an executor say to each other: the only module here that `app` imports.

All times are durations in seconds, never clock readings to compare: the clocks that decide are
Postgres `now()`. All models refuse unknown fields, on both sides.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

MAX_EVENTS_PER_BATCH = 100
MAX_PREVIEW_BYTES = 262_144
MAX_THUMBNAIL_BYTES = 262_144
OWN_THUMBNAIL_BYTES = 65_536
"""A picture up to here loads as fast as a thumbnail would, which costs more to make than it saves."""
MAX_LOG_LINE_BYTES = 4_096
MAX_TEXT_BYTES = 16_384  # message, traceback

Json = dict[str, Any]
Graph = dict[str, Any]
"""An API-format ComfyUI graph: `{node_id: {"class_type": str, "inputs": {...}}}`."""


class Message(BaseModel):
    """Base of everything on the wire: strict about names, immutable once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- why a job ended ------------------------------------------------------------------------


class RetryClass(StrEnum):
    """What the front door does after a failure of this kind."""

    INFRA = "infra"
    """Ours: starts again with back-off until `max_tries` starts are used up."""
    OOM = "oom"
    """Started again only where a larger GPU is allowed; else final, with advice."""
    USER = "user"
    """The workflow's own: final at once."""
    TIMEOUT = "timeout"
    """Ran out of the time it was given: final."""
    POISON = "poison"
    """Used up its starts, each without a report: final."""


class FailureCode(StrEnum):
    """The closed set of reasons; `RETRY_CLASS` says what follows from each."""

    # reported by the executor
    INVALID_WORKFLOW = "invalid_workflow"
    MISSING_NODE = "missing_node"
    MISSING_MODEL = "missing_model"
    NODE_ERROR = "node_error"
    INPUT_DOWNLOAD = "input_download"
    OUTPUT_UPLOAD = "output_upload"
    GPU_OOM = "gpu_oom"
    OUT_OF_MEMORY = "out_of_memory"
    COMFYUI_CRASHED = "comfyui_crashed"
    COMFYUI_UNREACHABLE = "comfyui_unreachable"
    ENVIRONMENT_BOOT = "environment_boot"
    STALLED = "stalled"
    DEADLINE = "deadline"
    INTERRUPTED = "interrupted"
    # found by the front door
    LEASE_EXPIRED = "lease_expired"
    LOST = "lost"
    CAPACITY = "capacity"
    POISONED = "poisoned"
    STORAGE_FULL = "storage_full"
    BUDGET_EXCEEDED = "budget_exceeded"


RETRY_CLASS: dict[FailureCode, RetryClass] = {
    FailureCode.INVALID_WORKFLOW: RetryClass.USER,
    FailureCode.MISSING_NODE: RetryClass.USER,
    FailureCode.MISSING_MODEL: RetryClass.USER,
    FailureCode.NODE_ERROR: RetryClass.USER,
    FailureCode.INPUT_DOWNLOAD: RetryClass.INFRA,
    FailureCode.OUTPUT_UPLOAD: RetryClass.INFRA,
    FailureCode.GPU_OOM: RetryClass.OOM,
    FailureCode.OUT_OF_MEMORY: RetryClass.OOM,
    FailureCode.COMFYUI_CRASHED: RetryClass.INFRA,
    FailureCode.COMFYUI_UNREACHABLE: RetryClass.INFRA,
    FailureCode.ENVIRONMENT_BOOT: RetryClass.INFRA,
    FailureCode.STALLED: RetryClass.TIMEOUT,
    FailureCode.DEADLINE: RetryClass.TIMEOUT,
    FailureCode.INTERRUPTED: RetryClass.INFRA,
    FailureCode.LEASE_EXPIRED: RetryClass.INFRA,
    FailureCode.LOST: RetryClass.INFRA,
    FailureCode.CAPACITY: RetryClass.TIMEOUT,
    FailureCode.POISONED: RetryClass.POISON,
    FailureCode.STORAGE_FULL: RetryClass.INFRA,
    FailureCode.BUDGET_EXCEEDED: RetryClass.USER,
}


class Failure(Message):
    """Why a job failed, as its owner reads it. Text is already redacted and cut."""

    code: FailureCode
    message: str = Field(max_length=MAX_TEXT_BYTES)
    node_id: str | None = None
    class_type: str | None = None
    traceback: str | None = Field(default=None, max_length=MAX_TEXT_BYTES)


# --- environments ---------------------------------------------------------------------------


class EnvironmentRegistration(Message):
    """Body of `PUT /internal/environments/{name}/{digest}`: what a started worker can run."""

    comfyui_version: str
    is_engine: bool = Field(description="True for the embedded engine, which is not ComfyUI.")
    python_version: str
    devices: list[Json] = Field(description="`devices` of ComfyUI's /system_stats.")
    object_info: Json = Field(description="ComfyUI's /object_info, whole.")
    output_kinds: list[str] = Field(description='What can come out: "image", "video", ...')


# --- claim and ticket -----------------------------------------------------------------------


class ClaimRequest(Message):
    """Body of `POST /internal/claims`, sent with a worker token (local) or a claim token (Modal)."""

    claim_id: UUID = Field(
        description="Fresh per run of a ticket; kept only across HTTP retries of this one claim."
    )
    backend: Literal["local", "modal"]
    environment: str
    environment_digest: str
    executor_id: str = Field(max_length=200, description="Host, process and slot, for people.")


class TicketInput(Message):
    """A file the graph names; the executor puts it into ComfyUI's input folder as `file_name`."""

    file_name: str = Field(description="A basename, unique by content, as the graph names it.")
    url: str = Field(description="Presigned GET.")
    size_bytes: int
    blake3: str | None = Field(description="Hex, without prefix; null while not computed.")


class Limits(Message):
    """What this run may use."""

    deadline_s: float = Field(description="From now to the end of the job, whatever happens.")
    stall_timeout_s: float = Field(description="No progress and no event of ComfyUI for so long.")
    max_outputs: int
    max_output_bytes: int


class Ticket(Message):
    """Answer to a claim: everything one run needs, and nothing that opens another door."""

    job_id: UUID
    workspace_id: UUID
    epoch: int
    environment: str
    graph: Graph
    inputs: list[TicketInput]
    extra_data: Json = Field(description="Partner keys for `extra_data` of ComfyUI's prompt.")
    limits: Limits
    lease_s: float
    heartbeat_s: float
    event_token: str = Field(description="Bearer for the events and outputs of this epoch.")
    strip_metadata: bool = Field(
        default=False, description="No output may carry the workflow: strip it or do not publish."
    )


# --- outputs --------------------------------------------------------------------------------

OutputKind = Literal["image", "video", "audio", "text", "file", "latent"]

_SHOWN_ANYWHERE = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})


def is_own_thumbnail(content_type: str, size_bytes: int) -> bool:
    """Whether a picture is shown itself where a thumbnail is wanted, so that none is made."""
    return content_type in _SHOWN_ANYWHERE and size_bytes <= OWN_THUMBNAIL_BYTES


class OutputRegistration(Message):
    """Body of `POST /internal/jobs/{job_id}/outputs`: asks for a place to put one file."""

    node_id: str = Field(max_length=200)
    name: str = Field(min_length=1, max_length=255, description="Basename; made unique in the job.")
    kind: OutputKind
    content_type: str = Field(max_length=100, description="A hint: the server decides.")
    size_bytes: int = Field(ge=0)
    thumbnail_of: UUID | None = Field(
        default=None,
        description="Asks for a place for the WebP thumbnail of this output, registered before.",
    )


class OutputGrant(Message):
    """A write-once place: PUT exactly the registered bytes with exactly these headers."""

    asset_id: UUID
    url: str
    headers: dict[str, str]


# --- events ---------------------------------------------------------------------------------


class Progress(Message):
    """A complete snapshot, in v2's words. Coalesced: not a transition, has no `client_seq`."""

    type: Literal["progress"] = "progress"
    value: float = Field(ge=0, le=1)
    nodes_done: int = Field(ge=0)
    nodes_total: int = Field(ge=0)
    current_node: str | None = None
    current_node_class: str | None = None
    step: int | None = None
    steps: int | None = None
    message: str | None = Field(default=None, max_length=500)


class Preview(Message):
    """The newest latent preview; older ones are worth nothing. Has no `client_seq`."""

    type: Literal["preview"] = "preview"
    node_id: str
    content_type: Literal["image/jpeg", "image/png", "image/webp"]
    data_base64: str = Field(max_length=MAX_PREVIEW_BYTES * 4 // 3 + 4)


class Log(Message):
    """A line worth keeping."""

    type: Literal["log"] = "log"
    level: Literal["info", "warning", "error"]
    message: str = Field(max_length=MAX_LOG_LINE_BYTES)


class OutputStored(Message):
    """A registered output is in its place."""

    type: Literal["output"] = "output"
    asset_id: UUID
    blake3: str | None = Field(
        default=None,
        pattern="^[0-9a-f]{64}$",
        description="As the executor computed it: shown, not trusted.",
    )
    thumbnail: UUID | None = Field(
        default=None, description="Its thumbnail, registered and in its place as well."
    )


class Succeeded(Message):
    """The verdict of ComfyUI's history, after every output event."""

    type: Literal["succeeded"] = "succeeded"
    timings_ms: dict[str, int] = Field(
        default_factory=dict, description="Display only: inputs, execution, outputs, ..."
    )


class Failed(Message):
    """A failure as data; its code's retry class decides what the front door makes of it."""

    type: Literal["failed"] = "failed"
    failure: Failure
    final: bool = Field(
        default=False, description="Another start would end the same, whatever the code says."
    )


class Canceled(Message):
    """The cancel asked for in an earlier reply was carried out and verified."""

    type: Literal["canceled"] = "canceled"


class Interrupted(Message):
    """The executor is being taken away (shutdown, preemption) and gives the job back."""

    type: Literal["interrupted"] = "interrupted"
    restarts: bool = Field(
        description="True where the platform starts the same input again by itself (Modal)."
    )


Transition = Annotated[
    Log | OutputStored | Succeeded | Failed | Canceled | Interrupted, Field(discriminator="type")
]
"""What is written to the job's event log, each exactly once, in order."""


class NumberedTransition(Message):
    """A transition with its place: `client_seq` counts from 1 per epoch, without gaps."""

    client_seq: int = Field(ge=1)
    event: Transition


class EventBatch(Message):
    """Body of `POST /internal/jobs/{job_id}/events`; an empty batch is a heartbeat."""

    progress: Progress | None = Field(default=None, description="The newest only.")
    preview: Preview | None = Field(default=None, description="The newest only.")
    transitions: list[NumberedTransition] = Field(
        default_factory=list, max_length=MAX_EVENTS_PER_BATCH
    )


class EventReply(Message):
    """Answer to a batch. `stop`: nothing was written, this run no longer counts."""

    cancel: bool = False
    stop: bool = False
    lease_s: float
