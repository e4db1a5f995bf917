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
from infra.cli.migrate import NO_DATABASE
from infra.comfyui.choice import choose
from infra.comfyui.installed import BrokenInstallationError
from infra.local.places import PlaceError
from infra.local.running import settings_of_running
from infra.local.worker import (
    confines,
    settings_of_worker,
    token_pipe,
    worker_environment,
    worker_state,
)

LOCAL: Final = "local"


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """What the command line said; no workspaces: the local one, or all where nodes are confined."""

    workspaces: list[str]
    environment: str
    any_workspace: bool


def become_worker(options: WorkerOptions) -> NoReturn:
    """Mint a token and execute the worker in place of this process."""
    settings = settings_of_running()
    try:
        environ = choose(os.environ, settings.state).environment(os.environ)
        workspaces = _workspaces(settings, options, environ)
        grant = WorkerGrant(workspaces=workspaces, environments=[options.environment], slots=1)
        token = Tokens(Keyring.load(settings)).worker(grant)
        environment = environment_of(environ, settings, options.environment)
    except (AppError, SecretError, BrokenInstallationError, PlaceError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    command = [sys.executable, "-P", "-m", "gpu_functions.celery_app"]
    with token_pipe(token) as pipe:
        for descriptor in pipe.descriptors:
            os.set_inheritable(descriptor, True)  # noqa: FBT003 - the standard library's signature
        os.execve(sys.executable, command, {**environment, **pipe.env})  # noqa: S606 - becomes it


def environment_of(
    environ: Mapping[str, str], settings: Settings, environment: str
) -> dict[str, str]:
    """What the worker may see.

    Args:
        environ: ours
        settings: where Redis and the front door are
        environment: name its ComfyUI is registered under
    """
    # A folder of its own: two workers of one machine do not share ComfyUI's input and output. One of
    # COMFY_USER lies outside the state folder, where none may be left by each process that ever ran.
    worker = settings_of_worker(environ)
    name = f"worker-{worker.comfy_user or os.getpid()}"
    return {
        "COMFYBURST_WORKER_STATE": str(worker_state(settings.state / name, worker)),
        **worker_environment(environ),
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


def _workspaces(
    settings: Settings, options: WorkerOptions, environ: Mapping[str, str]
) -> list[UUID] | None:
    """Whom it serves; None for all. Named ones are a wish, also where nodes are confined."""
    confined = confines(settings_of_worker(environ))
    if options.any_workspace or (confined and not options.workspaces):
        return None
    return _ids(settings, options.workspaces or [LOCAL])


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
