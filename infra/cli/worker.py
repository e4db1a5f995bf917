"""`comfyburst worker`: becomes a worker that holds a token and nothing else of ours."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, cast
from uuid import UUID

import typer

from app.config import Settings
from app.db.postgres import open_database
from app.errors import AppError, NotFoundError
from app.identity.repository import IdentityRepository
from app.jobs.tokens import Tokens, WorkerGrant
from app.secret import Keyring, SecretError
from gpu_functions.settings import variables
from infra.cli.migrate import NO_DATABASE
from infra.local.running import settings_of_running

# Beside the worker's own settings: what programs need to run at all, and what finds the GPU.
_KEPT: Final = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "HF_HOME"}
)
_KEPT_PREFIXES: Final = ("CUDA_", "NVIDIA_", "PYTORCH_", "HIP_", "ROCM_")


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What the command line said."""

    workspaces: list[str]
    environment: str
    any_workspace: bool


def become_worker(options: WorkerOptions) -> NoReturn:
    """Mint a token and execute the worker in place of this process."""
    settings = settings_of_running()
    try:
        workspaces = None if options.any_workspace else _ids(settings, options.workspaces)
        grant = WorkerGrant(workspaces=workspaces, environments=[options.environment], slots=1)
        token = Tokens(Keyring.load(settings)).worker(grant)
    except (AppError, SecretError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    environment = worker_environment(os.environ, settings, options.environment)
    reading, writing = os.pipe()
    os.write(writing, token.encode())
    os.close(writing)
    os.set_inheritable(reading, True)  # noqa: FBT003 - the standard library's own signature
    environment["COMFYBURST_WORKER_TOKEN_FD"] = str(reading)
    command = [sys.executable, "-P", "-m", "gpu_functions.celery_app"]
    os.execve(sys.executable, command, environment)  # noqa: S606 - becomes it


def worker_environment(
    environ: Mapping[str, str], settings: Settings, environment: str
) -> dict[str, str]:
    """What the worker may see: it runs other people's code beside it.

    Args:
        environ: ours
        settings: where Redis is, and which port the front door has unless it says so itself
        environment: name its ComfyUI is registered under
    """
    own = {variable.name for variable in variables()}
    kept = {
        name: value
        for name, value in environ.items()
        if name in own | _KEPT or name.startswith(_KEPT_PREFIXES)
    }
    kept.setdefault("COMFYBURST_WORKER_STATE", str(settings.state / f"worker-{os.getpid()}"))
    return kept | {
        "INTERNAL_URL": settings.internal_url or front_door_url(settings),
        "REDIS_URL": settings.redis_url,
        "COMFYBURST_ENVIRONMENT": environment,
        "PYTHONUNBUFFERED": "1",
    }


def front_door_url(settings: Settings) -> str:
    """Where the front door of this machine listens: what `up` wrote, else the configured port."""
    try:
        text = Path(settings.state, "ready.json").read_text()
        return str(cast("dict[str, Any]", json.loads(text))["url"])
    except (OSError, ValueError, KeyError):
        return f"http://127.0.0.1:{settings.port}"


def _ids(settings: Settings, names: Sequence[str]) -> list[UUID]:
    if not settings.database_url:
        typer.echo(NO_DATABASE, err=True)
        raise typer.Exit(1)
    return asyncio.run(_look_up(settings.database_url, names))


async def _look_up(database_url: str, names: Sequence[str]) -> list[UUID]:
    found: list[UUID] = []
    async with open_database(database_url, size=2) as database:
        repository = IdentityRepository(database)
        for name in names:
            workspace_id = await repository.workspace_id(name)
            if workspace_id is None:
                raise NotFoundError(f"workspace {name!r}")
            found.append(workspace_id)
    return found
