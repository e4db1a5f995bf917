"""Public JSON of jobs: Comfy API v2's, and more beside it that a v2 client ignores."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.jobs.transitions import PublicStatus

MAX_METADATA_PAIRS = 16
MAX_METADATA_LENGTH = 1_024
MAX_TAGS = 16

Tag = Annotated[str, Field(min_length=1, max_length=64)]
Label = Annotated[str, Field(max_length=MAX_METADATA_LENGTH)]


class ExtraData(BaseModel):
    """Keys for partner (API) nodes: handed to ComfyUI, never stored in clear or echoed."""

    model_config = ConfigDict(extra="forbid")

    api_key_comfy_org: str | None = Field(default=None, max_length=4_096)
    auth_token_comfy_org: str | None = Field(default=None, max_length=8_192)


class JobRequest(BaseModel):
    """Body of `POST /jobs`."""

    model_config = ConfigDict(extra="forbid")

    workflow: dict[str, Any] = Field(
        description="An API-format graph: `{node_id: {class_type, inputs}}`.",
        examples=[
            {
                "1": {
                    "class_type": "BurstPoster",
                    "inputs": {"prompt": "Hello", "seed": 1, "width": 768, "height": 1024},
                },
                "2": {
                    "class_type": "SaveImage",
                    "inputs": {"images": ["1", 0], "filename_prefix": "poster"},
                },
            }
        ],
    )
    extra_data: ExtraData | None = None
    metadata: dict[Label, Label] | None = Field(
        default=None,
        max_length=MAX_METADATA_PAIRS,
        description="Labels of yours, shown and filtered by.",
    )
    tags: list[Tag] = Field(
        default_factory=list[str],
        max_length=MAX_TAGS,
        description="Words to find jobs by: `GET /jobs?tag=…`.",
        examples=[["campaign-7"]],
    )
    priority: int = Field(
        default=0, ge=-100, le=100, description="Higher runs first, in your workspace."
    )
    deadline_s: float | None = Field(
        default=None, gt=0, le=86_400, description="From the first start to the end of the job."
    )
    max_tries: int | None = Field(default=None, ge=1, le=10, description="Starts at most.")
    environment: str = Field(default="local", max_length=63, description="Where it runs.")


class ProgressOut(BaseModel):
    """A complete snapshot."""

    value: float = Field(ge=0, le=1)
    nodes_done: int
    nodes_total: int
    current_node: str | None = None
    current_node_class: str | None = None
    step: int | None = None
    steps: int | None = None
    message: str | None = None


class OutputOut(BaseModel):
    """A file a job made."""

    id: UUID
    node_id: str
    name: str = Field(description="A basename, unique in the job.")
    type: Literal["image", "video", "audio", "text", "file", "latent"]
    content_type: str
    size_bytes: int
    hash: str | None
    url: str
    url_expires_at: datetime
    job_id: UUID


class JobErrorOut(BaseModel):
    """Why a job failed."""

    code: str
    message: str
    node_id: str | None = None
    class_type: str | None = None
    traceback: str | None = None


class JobUrls(BaseModel):
    """Follow these; they carry any prefix we are mounted under."""

    self: str = Field(description="Holds until the job ends, 20 s at most (`?wait=`).")
    events: str = Field(description="Server-sent events.")
    cancel: str = Field(description="POST here to cancel.")
    logs: str = Field(description="What the job has logged; 204 while that is nothing.")


class JobOut(BaseModel):
    """One execution of a workflow."""

    id: UUID
    status: PublicStatus
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    expires_at: datetime
    queue_position: int | None
    progress: ProgressOut | None
    outputs: list[OutputOut]
    error: JobErrorOut | None
    metrics: dict[str, int | None]
    urls: JobUrls
    metadata: dict[str, str]
    tags: list[str]
    environment: str
    backend: str
    backend_reason: str
    tries: int


class WorkflowOut(BaseModel):
    """The graph a job executes."""

    workflow: dict[str, Any]
    format: Literal["api"]


class JobLogOut(BaseModel):
    """What a job has logged so far."""

    text: str = Field(description="One line each: time, level, message.")
    truncated: bool = Field(description="Whether lines were dropped: the log was full.")
    captured_at: datetime
    complete: bool = Field(description="Whether the job has ended, so that no line will follow.")


class JobPage(BaseModel):
    """Newest first."""

    jobs: list[JobOut]
    next_cursor: str | None = None
