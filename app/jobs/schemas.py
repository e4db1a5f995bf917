"""Public JSON of jobs: Comfy API v2's, and more beside it that a v2 client ignores."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.assets.media import clean_basename, is_inline
from app.jobs.models import Job, JsonObject
from app.jobs.transitions import PublicStatus, Status
from storage.protocol import Delivery, Storage

MAX_METADATA_PAIRS = 16
MAX_METADATA_LENGTH = 1_024

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
    events: str
    cancel: str


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
    environment: str
    backend: str
    backend_reason: str
    tries: int


class WorkflowOut(BaseModel):
    """The graph a job executes."""

    workflow: dict[str, Any]
    format: Literal["api"]


class JobPage(BaseModel):
    """Newest first."""

    jobs: list[JobOut]
    next_cursor: str | None = None


def render_job(job: Job, links: "Links") -> JsonObject:
    """A job as v2 has it, with fresh URLs."""
    base = f"{links.prefix}/api/v2/jobs/{job.id}"
    wait = f"?wait={links.long_poll_s:g}" if links.long_poll_s else ""
    return {
        "id": job.id,
        "status": job.public_status,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "completed_at": job.ended_at,
        "expires_at": job.expires_at,
        "queue_position": job.queue_position,
        "progress": job.progress,
        "outputs": [links.output(job.id, job.workspace_id, job.epoch, o) for o in job.outputs],
        "error": job.error,
        "metrics": _metrics(job),
        "urls": {
            "self": f"{base}{wait}",
            "events": f"{base}/events",
            "cancel": f"{base}/cancel",
        },
        "metadata": job.metadata,
        "environment": job.environment,
        "backend": job.backend,
        "backend_reason": job.backend_reason,
        "tries": job.tries,
        # The SDK's list wants these names beside v2's own (facts/comfy-api-v2.md §7).
        "create_time": job.created_at,
        "update_time": job.ended_at or job.started_at or job.created_at,
    }


def _metrics(job: Job) -> dict[str, int | None]:
    started = job.started_at
    return {
        "queue_ms": _milliseconds(started - job.created_at) if started else None,
        "execution_ms": (
            _milliseconds(job.ended_at - started) if started and job.ended_at else None
        ),
    }


def _milliseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1_000)


class Links:
    """Renders the URLs of one reply."""

    def __init__(
        self,
        *,
        storage: Storage,
        origin: str,
        prefix: str,
        url_expires_s: float,
        long_poll_s: float,
    ) -> None:
        self.prefix = prefix
        self.long_poll_s = long_poll_s
        self._storage = storage
        self._origin = origin
        self._url_expires_s = url_expires_s

    def output(self, job_id: UUID, workspace_id: UUID, epoch: int, entry: JsonObject) -> JsonObject:
        """An entry of the manifest with a fresh URL."""
        digest = entry.get("blake3")
        url = self._storage.sign_get(
            f"{workspace_id}/{job_id}/{epoch}/{entry['asset_id']}",
            origin=self._origin,
            delivery=Delivery(
                content_type=entry["content_type"],
                file_name=clean_basename(entry["name"]),
                inline=is_inline(entry["content_type"]),
            ),
            expires_s=self._url_expires_s,
        )
        return {
            "id": entry["asset_id"],
            "node_id": entry["node_id"],
            "name": entry["name"],
            "type": entry["kind"],
            "content_type": entry["content_type"],
            "size_bytes": entry["size_bytes"],
            "hash": f"blake3:{digest}" if digest else None,
            "url": url,
            "url_expires_at": datetime.now(UTC) + timedelta(seconds=self._url_expires_s),
            "job_id": job_id,
        }


def status_frame(job: Job) -> JsonObject:
    """The `status` event of a job as it stands."""
    frame: JsonObject = {
        "status": job.public_status,
        "queue_position": job.queue_position,
        "tries": job.tries,
    }
    if job.status is Status.DISPATCHED:
        frame["phase"] = "starting"
    if job.error:
        frame["error"] = job.error
    return frame
