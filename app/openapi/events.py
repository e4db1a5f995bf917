"""What the `data` of each server-sent event is: models that only describe; frames are made in `jobs`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.jobs.schemas import JobErrorOut, OutputOut, ProgressOut
from app.jobs.transitions import PublicStatus
from gpu_functions.contract import FailureCode

_ABSENT_UNLESS_SET: Final = ConfigDict(json_schema_mode_override="validation")


class Retry(BaseModel):
    """Why a start did not count and the job waits for the next one."""

    model_config = _ABSENT_UNLESS_SET

    code: FailureCode
    message: str | None = None


class StatusEvent(BaseModel):
    """Where the job stands: on connect, and at every move."""

    model_config = _ABSENT_UNLESS_SET

    status: PublicStatus
    tries: int = Field(description="Starts so far.")
    queue_position: int | None = Field(default=None, description="In the first frame only.")
    phase: Literal["starting"] | None = Field(
        default=None, description="Queued, and a GPU is being started for it."
    )
    error: JobErrorOut | None = Field(default=None, description="With `failed`.")
    retry: Retry | None = Field(default=None, description="With `queued`, after a start failed.")


class PreviewEvent(BaseModel):
    """The newest latent preview."""

    node_id: str
    content_type: Literal["image/jpeg", "image/png", "image/webp"]
    data_base64: str = Field(description="At most 256 KiB of image.")


class LogEvent(BaseModel):
    """A line of the job's log."""

    level: Literal["info", "warning", "error"]
    message: str


class _OfJob(BaseModel):
    job_id: UUID


class _Numbered(_OfJob):
    seq: int = Field(description="Counts 1, 2, 3… within the job: drop what you know.")
    at: datetime


class ReadyEvent(BaseModel):
    """The first frame of a workspace's stream."""

    cursor: str = Field(description="Resume from here if nothing else arrives.")


class WorkspaceStatusEvent(StatusEvent, _Numbered):
    """A job moved."""

    model_config = _ABSENT_UNLESS_SET


class WorkspaceOutputEvent(OutputOut, _Numbered):
    """A job made a file."""


class WorkspaceLogEvent(LogEvent, _Numbered):
    """A job logged a line."""


class WorkspaceProgressEvent(ProgressOut, _OfJob):
    """How far a running job is."""


class WorkspacePreviewEvent(PreviewEvent, _OfJob):
    """What a running job looks like."""


Events = Mapping[str, tuple[type[BaseModel], str]]
"""By the name of the event: its data, and what it is for."""

JOB_EVENTS: Final[Events] = {
    "status": (StatusEvent, "On connect, and at every move. The last one ends the stream."),
    "progress": (ProgressOut, "A complete snapshot, about twice a second."),
    "preview": (PreviewEvent, "The newest latent preview."),
    "output": (OutputOut, "A file, as `outputs` of the job has it; always before the last status."),
    "log": (LogEvent, "A line of the job's log."),
}
WORKSPACE_EVENTS: Final[Events] = {
    "ready": (ReadyEvent, "The stream is open."),
    "status": (WorkspaceStatusEvent, "A job moved."),
    "progress": (WorkspaceProgressEvent, "How far a running job is."),
    "preview": (WorkspacePreviewEvent, "With `previews=true`."),
    "output": (WorkspaceOutputEvent, "A job made a file."),
    "log": (WorkspaceLogEvent, "A job logged a line."),
}
