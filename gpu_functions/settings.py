"""Every environment variable of the GPU side, once; `.env.example` is compared with `variables()`.

A plain pydantic model that reads a mapping: the GPU side does without pydantic-settings.
"""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class WorkerSettings(BaseModel):
    """Read once at start. An empty variable counts as absent."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    internal_url: str = Field(
        default="http://127.0.0.1:8000",
        validation_alias="INTERNAL_URL",
        description="Origin under which local workers reach the front door.",
    )
    redis_url: str = Field(
        default="",
        validation_alias="REDIS_URL",
        description="redis://… or unix://…: wakes the worker. Empty: it asks every 5 s by itself.",
    )
    token_fd: int | None = Field(
        default=None,
        validation_alias="COMFYBURST_WORKER_TOKEN_FD",
        description="Inherited file descriptor that holds the worker token; read once and closed. "
        "A token in the environment could be read by every process of the user.",
    )
    state: Path = Field(
        default=Path(".comfyburst/worker"),
        validation_alias="COMFYBURST_WORKER_STATE",
        description="Folder for ComfyUI's input, output, temp and user folders and its log.",
    )
    ready_file: Path | None = Field(
        default=None,
        validation_alias="COMFYBURST_READY_FILE",
        description="File the worker writes once its environment is registered.",
    )
    environment: str = Field(
        default="local",
        validation_alias="COMFYBURST_ENVIRONMENT",
        description="Name under which this worker's ComfyUI is registered; jobs name it.",
    )
    comfyui_url: str = Field(
        default="",
        validation_alias="COMFYUI_URL",
        description="A running ComfyUI to attach to. The worker then starts and restarts nothing.",
    )
    comfyui_dir: Path | None = Field(
        default=None,
        validation_alias="COMFYUI_DIR",
        description="A ComfyUI checkout that the worker starts itself. Without it and "
        "COMFYUI_URL: what `comfyburst comfy` installed, else the embedded engine.",
    )
    comfyui_python: Path | None = Field(
        default=None,
        validation_alias="COMFYUI_PYTHON",
        description="Interpreter for COMFYUI_DIR, which opens outputs as well (thumbnails, "
        "strip_metadata), also those of COMFYUI_URL. Default: its .venv or venv, else our own.",
    )
    comfyui_args: tuple[str, ...] = Field(
        default=(),
        validation_alias="COMFYUI_ARGS",
        description="More arguments for ComfyUI, split as a shell would (for instance --cpu).",
    )
    comfyui_shared: bool = Field(
        default=False,
        validation_alias="COMFYUI_SHARED",
        description="The operator vouches that one ComfyUI process may serve several workspaces: "
        "none of its nodes runs code or reads files of its user's choosing.",
    )
    comfy_user: str = Field(
        default="",
        validation_alias="COMFY_USER",
        description="User (name or uid) that ComfyUI and its nodes run as; the worker runs as root. "
        "Then they serve every workspace: docs/isolation.md.",
    )
    comfyui_start_timeout_s: float = Field(
        default=180.0,
        gt=0,
        validation_alias="COMFYUI_START_TIMEOUT_S",
        description="ComfyUI must answer within so many seconds after its start.",
    )
    otlp_endpoint: str = Field(
        default="",
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Collector of traces, for instance http://127.0.0.1:4318. Needs the extra "
        "`otel`; empty: nothing is traced and OpenTelemetry is never imported.",
    )
    probes: bool = Field(
        default=False,
        validation_alias="COMFYBURST_PROBES",
        description="Handed to ComfyUI: registers the probe nodes that tests use.",
    )

    @field_validator("comfyui_args", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(shlex.split(value)) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _owns_what_it_confines(self) -> Self:
        if self.comfy_user and self.comfyui_url:
            raise ValueError(
                "COMFY_USER cannot be used with COMFYUI_URL: a ComfyUI that runs already is not ours to "
                "restart between workspaces. Let COMFYUI_DIR name it, or unset COMFY_USER."
            )
        return self

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read a mapping such as `os.environ`; raises pydantic's ValidationError."""
        return cls.model_validate({name: value for name, value in environ.items() if value})

    @property
    def interpreter(self) -> Path:
        """The Python that runs COMFYUI_DIR."""
        if self.comfyui_python is not None:
            return self.comfyui_python
        if self.comfyui_dir is not None:
            for venv in (".venv", "venv"):
                candidate = self.comfyui_dir / venv / "bin" / "python"
                if candidate.exists():
                    return candidate
        return Path(sys.executable)


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable, as documentation needs it."""

    name: str
    default: Any
    description: str


def variables() -> tuple[Variable, ...]:
    """Every variable the GPU side reads."""
    return tuple(
        Variable(str(field.validation_alias), field.default, field.description or "")
        for field in WorkerSettings.model_fields.values()
    )


def read_token(fd: int | None) -> str:
    """Read the worker token from an inherited descriptor to its end, and close it.

    Raises:
        ValueError: there is no descriptor, or it held nothing.
    """
    if fd is None:
        raise ValueError("COMFYBURST_WORKER_TOKEN_FD is not set")
    with os.fdopen(fd, "rb") as pipe:
        token = pipe.read(4096).decode("ascii").strip()
    if not token:
        raise ValueError("COMFYBURST_WORKER_TOKEN_FD held no token")
    return token
