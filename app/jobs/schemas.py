"""Public JSON of jobs: Comfy API v2's, and more beside it that a v2 client ignores."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self, cast
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    model_validator,
)
from pydantic.config import JsonDict
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from app.jobs.transitions import PublicStatus
from app.safe_http import MAX_URL_LENGTH
from app.workflows.registry.names import REFERENCE_PATTERN, REFERENCE_SHAPE, Reference
from gpu_functions.contract import FailureCode

MAX_METADATA_PAIRS = 16
MAX_METADATA_LENGTH = 1_024
MAX_TAGS = 16

Tag = Annotated[str, Field(min_length=1, max_length=64)]
Label = Annotated[str, Field(max_length=MAX_METADATA_LENGTH)]


_GRAPH: JsonDict = {
    "minProperties": 1,
    "additionalProperties": {
        "type": "object",
        "required": ["class_type", "inputs"],
        "properties": {"class_type": {"type": "string"}, "inputs": {"type": "object"}},
    },
}
"""Described, not validated: `check_structure` names every node that is wrong."""


_WORKFLOW: JsonDict = {
    "anyOf": [
        {"type": "object", **_GRAPH},
        {"type": "string", "pattern": REFERENCE_PATTERN},
        {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "pattern": REFERENCE_PATTERN},
                "inputs": {"type": "object"},
            },
            "additionalProperties": False,
        },
    ]
}


def _graph_or_name(value: Any) -> dict[str, Any] | str:
    if isinstance(value, dict):
        return cast(dict[str, Any], value)
    if isinstance(value, str) and Reference.parse(value) is not None:
        return value
    raise PydanticCustomError(
        "workflow", f"Input should be a graph, or {REFERENCE_SHAPE} for one that was pushed"
    )


class ExtraData(BaseModel):
    """Keys for partner (API) nodes: handed to ComfyUI, never stored in clear or echoed."""

    model_config = ConfigDict(extra="forbid")

    api_key_comfy_org: str | None = Field(
        default=None, max_length=4_096, description="A key of platform.comfy.org."
    )
    auth_token_comfy_org: str | None = Field(
        default=None, max_length=8_192, description="What a signed-in comfy-cli sends instead."
    )


class JobRequest(BaseModel):
    """What to run. Only `workflow` is needed; v2 itself knows `workflow`, `extra_data`, `metadata`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    workflow: Annotated[
        dict[str, Any] | str, PlainValidator(_graph_or_name), WithJsonSchema(_WORKFLOW)
    ] = Field(
        description="An API-format graph: `{node_id: {class_type, inputs}}`. Where a node expects a "
        'file, its input is `{"__type": "core/ASSET", "info": {"id": "<asset id>"}}` or the '
        "`file_path` of an upload. Or a workflow as the ComfyUI editor saves it: it is converted. Or "
        "the name of one that was pushed: `poster`, `poster@3`, `poster@prod`.",
    )
    inputs: dict[str, Any] | None = Field(
        default=None,
        description="Of a workflow that is named: its inputs by their names, as `GET "
        "/workflows/{name}/schema` describes them. What is absent has its default.",
        examples=[{"prompt": "Hello, world", "seed": 7}],
    )
    extra_data: ExtraData | None = None
    metadata: dict[Label, Label] | None = Field(
        default=None,
        max_length=MAX_METADATA_PAIRS,
        description="Labels of yours, shown with the job and filtered by: `metadata[key]=value`.",
        examples=[{"campaign": "7"}],
    )
    tags: list[Tag] = Field(
        default_factory=list[str],
        max_length=MAX_TAGS,
        description="Words to find jobs by: `GET /jobs?tag=…`.",
        examples=[["poster"]],
    )
    priority: int = Field(
        default=0, ge=-100, le=100, description="Higher runs first, in your workspace."
    )
    deadline_s: float | None = Field(
        default=None,
        gt=0,
        le=86_400,
        description="Seconds from the first start to the end; past it the job is "
        "`failed: deadline`. Default: the server's `COMFYBURST_DEADLINE_S`.",
    )
    max_tries: int | None = Field(
        default=None,
        ge=1,
        le=10,
        description="Starts at most, where a worker or its ComfyUI dies. Default: the server's "
        "`COMFYBURST_MAX_TRIES`. A workflow's own failure is never tried again.",
    )
    webhook_url: str | None = Field(
        default=None,
        min_length=1,
        max_length=MAX_URL_LENGTH,
        description="Called when the job has ended, however it ended; signed with the workspace's "
        "secret (`GET /webhooks/secret`). A public `https://` or `http://` address.",
        examples=["https://example.com/hooks/comfy"],
    )
    strip_metadata: bool = Field(
        default=False,
        description="No output may say how it was made: prompt and workflow, which ComfyUI writes into "
        "its files, are taken out without touching a pixel or a sample. An output that cannot be "
        "stripped is not published: the job is `failed: output_upload` and says which.",
        examples=[True],
    )
    environment: str = Field(
        default="local",
        max_length=63,
        description="Which ComfyUI runs it, by name; `GET /readyz` lists them. Default: what a named "
        "workflow was pushed for, else `local`.",
    )

    @property
    def named_environment(self) -> str | None:
        """What the caller said; None where nothing."""
        return self.environment if "environment" in self.model_fields_set else None

    @model_validator(mode="after")
    def _inputs_are_of_a_name(self) -> Self:
        if self.inputs is not None and not isinstance(self.workflow, str):
            raise PydanticCustomError(
                "inputs_of_a_graph", "inputs: only a workflow that is named takes them."
            )
        return self


class ProgressOut(BaseModel):
    """A complete snapshot: one is enough to know where the job is."""

    value: float = Field(ge=0, le=1, description="The whole job, by nodes and sampler steps.")
    nodes_done: int
    nodes_total: int
    current_node: str | None = Field(description="Its id in the graph.")
    current_node_class: str | None
    step: int | None = Field(description="Of the current node, where it counts steps.")
    steps: int | None
    message: str | None


class OutputOut(BaseModel):
    """A file a job made. It is an asset too: `GET /assets/{id}` renews its `url`."""

    model_config = ConfigDict(json_schema_mode_override="validation")

    id: UUID = Field(description="Asset id.")
    node_id: str = Field(description="The node that saved it.")
    name: str = Field(description="A basename, unique in the job: safe to save as.")
    type: Literal["image", "video", "audio", "text", "file", "latent"] = Field(
        description="3D and everything else v2 has no word for is a `file`."
    )
    content_type: str
    size_bytes: int
    hash: str | None = Field(description="`blake3:<hex>`; null while nobody computed it.")
    url: str = Field(
        json_schema_extra={"format": "uri"},
        description="Absolute, signed, short-lived; fetch it without a key.",
    )
    url_expires_at: datetime
    thumbnail_url: str | SkipJsonSchema[None] = Field(
        default=None,
        json_schema_extra={"format": "uri"},
        description="A WebP of at most 512 pixels a side, as short-lived as `url`; for a picture of "
        "at most 64 KiB that is `url` itself. Absent where there is none.",
    )
    job_id: UUID


class JobErrorOut(BaseModel):
    """Why a job failed. Paths of the machine are cut out of messages and tracebacks."""

    model_config = ConfigDict(json_schema_mode_override="validation")

    code: FailureCode = Field(description="From a closed set; the chapter Failures explains each.")
    message: str
    node_id: str | None = Field(default=None, description="Absent where no node is to blame.")
    class_type: str | None = None
    traceback: str | None = None


class JobUrls(BaseModel):
    """Follow these; they carry any prefix we are mounted under."""

    self: str = Field(description="Holds until the job ends, 20 s at most (`?wait=`).")
    events: str = Field(description="Server-sent events.")
    cancel: str = Field(description="POST here to cancel.")
    logs: str = Field(description="What the job has logged; 204 while that is nothing.")


class JobWorkflowOut(BaseModel):
    """A version of a workflow."""

    name: str
    version: int


class JobOut(BaseModel):
    """One execution of a workflow. v2's job, and from `metadata` on what is ours."""

    id: UUID
    status: PublicStatus = Field(
        description="`queued → running → succeeded | failed`; `running → queued` where it is tried "
        "again; `running → canceling → canceled`; `queued → canceled | expired`."
    )
    created_at: datetime
    started_at: datetime | None = Field(description="Of the first start.")
    completed_at: datetime | None
    expires_at: datetime = Field(description="Then it and its outputs are gone: 404.")
    queue_position: int | None = Field(
        description="Jobs ahead of it; null in the answer to a submit, and once it runs."
    )
    progress: ProgressOut | None
    outputs: list[OutputOut] = Field(description="Those committed so far, also while it runs.")
    error: JobErrorOut | None = Field(description="Only of a failed job.")
    metrics: dict[str, int | None] = Field(
        description="`queue_ms`, `execution_ms`: null until known."
    )
    urls: JobUrls
    metadata: dict[str, str] = Field(description="Your labels.")
    tags: list[str]
    environment: str
    backend: str = Field(description="Where it runs.")
    backend_reason: str = Field(description="Why it runs there, for people.")
    tries: int = Field(description="Starts so far.")
    retry_of: UUID | None = Field(description="The job it runs again; null for any other.")
    workflow: JobWorkflowOut | None = Field(
        description="The version it runs, whatever its name leads to later; null of a graph."
    )
    inputs: dict[str, Any] | None = Field(
        description="What a named workflow was given, random seeds as they were drawn; null of a graph."
    )
    create_time: datetime = Field(description="`created_at`, by the name `comfy-sdk` lists by.")
    update_time: datetime = Field(description="When its status last changed.")


class DryRunOut(BaseModel):
    """What a submit would record; nothing was."""

    valid: Literal[True] = Field(description="Always; what is not valid is refused as a submit is.")
    environment: str
    backend: str = Field(description="Where it would run.")
    backend_reason: str = Field(description="Why it would run there, for people.")
    workflow: JobWorkflowOut | None
    inputs: dict[str, Any] | None


class WorkflowOut(BaseModel):
    """The graph a job executes."""

    workflow: dict[str, Any] = Field(description="API format, file references resolved.")
    format: Literal["api"]


class JobLogOut(BaseModel):
    """What a job has logged so far."""

    text: str = Field(description="One line each: time, level, message.")
    truncated: bool = Field(description="Whether lines were dropped: the log was full.")
    captured_at: datetime
    complete: bool = Field(description="Whether the job has ended, so that no line will follow.")


class JobPage(BaseModel):
    """Newest first."""

    model_config = ConfigDict(json_schema_mode_override="validation")

    jobs: list[JobOut]
    next_cursor: str | SkipJsonSchema[None] = Field(
        default=None, description="Pass it as `cursor`; absent on the last page."
    )
