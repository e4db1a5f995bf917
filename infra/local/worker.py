"""The local worker as a service of the stack: a token over a pipe, an environment without secrets."""

import contextlib
import os
import sys
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from app.config import Settings
from gpu_functions.isolation.user import IsolationError, comfy_user
from gpu_functions.settings import WorkerSettings, variables
from infra.comfyui.choice import Choice
from infra.local.places import PlaceError, enterable_folder, place_for_another_user
from infra.local.service import Handover, Service

STOP_TIMEOUT_S: Final = 20.0
"""It gives its job back first; Celery's warm shutdown takes about 2 s of it."""
BOOT_MARGIN_S: Final = 30.0

_NEEDED_BY_ANYTHING: Final = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE", "HF_HOME"}
)
_ABOUT_THE_GPU: Final = ("CUDA_", "NVIDIA_", "PYTORCH_", "HIP_", "ROCM_")


def worker_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What of ours a worker may see: it runs other people's code beside it.

    An allow-list, so that a secret under whatever name stays behind: its own settings, what any
    program needs, and what finds the GPU.
    """
    allowed = _NEEDED_BY_ANYTHING | {variable.name for variable in variables()}
    return {
        name: value
        for name, value in environ.items()
        if name in allowed or name.startswith(_ABOUT_THE_GPU)
    }


@contextlib.contextmanager
def token_pipe(token: str) -> Generator[Handover]:
    """A pipe that holds the token: neither argv nor the environment of a process is private."""
    reading, writing = os.pipe()
    try:
        os.write(writing, token.encode())
        os.close(writing)
        yield Handover((reading,), {"COMFYBURST_WORKER_TOKEN_FD": str(reading)})
    finally:
        os.close(reading)


def worker_service(
    settings: Settings, mint_token: Callable[[], str], url: str, choice: Choice
) -> Service:
    """`python -m gpu_functions.celery_app`; ready once its ComfyUI is registered."""
    ready_file = settings.state / "worker.ready"
    environment = worker_environment(choice.environment(os.environ)) | {
        "INTERNAL_URL": settings.internal_url or url,
        "REDIS_URL": settings.redis_url,
        "COMFYBURST_WORKER_STATE": str(worker_state(settings.state / "worker", _comfyui(choice))),
        "COMFYBURST_READY_FILE": str(ready_file),
        "COMFYBURST_ENVIRONMENT": "local",
        "PYTHONUNBUFFERED": "1",
    }

    async def ready() -> bool:
        return ready_file.exists()

    @contextlib.contextmanager
    def handover() -> Generator[Handover]:
        ready_file.unlink(missing_ok=True)
        with token_pipe(mint_token()) as pipe:
            yield pipe

    return Service(
        "worker",
        [sys.executable, "-P", "-m", "gpu_functions.celery_app"],
        ready,
        environment,
        stop_timeout_s=STOP_TIMEOUT_S,
        ready_timeout_s=_comfyui(choice).comfyui_start_timeout_s + BOOT_MARGIN_S,
        handover=handover,
        is_essential=False,
    )


def worker_state(path: Path, worker: WorkerSettings) -> Path:
    """The folder of a worker: `path`, or one that its COMFY_USER can reach.

    Raises:
        PlaceError: the other one cannot be used.
    """
    if not worker.comfy_user:
        return path
    return enterable_folder(place_for_another_user(path))


def serves_any_workspace(choice: Choice) -> bool:
    """Whether its nodes are vouched for, or run as a user of their own.

    The engine's run no code and read no file of a caller's choice.

    Raises:
        PlaceError: COMFY_USER cannot be used, and what to do.
    """
    worker = _comfyui(choice)
    confined = confines(worker)
    return choice.place is None or worker.comfyui_shared or confined


def confines(worker: WorkerSettings) -> bool:
    """Whether ComfyUI runs as a user of its own.

    Raises:
        PlaceError: COMFY_USER cannot be used, and what to do.
    """
    if not worker.comfy_user:
        return False
    try:
        comfy_user(worker.comfy_user)
    except IsolationError as error:
        raise PlaceError(str(error)) from error
    return True


def _comfyui(choice: Choice) -> WorkerSettings:
    return settings_of_worker(choice.environment(os.environ))


def settings_of_worker(environ: Mapping[str, str]) -> WorkerSettings:
    """What a worker would read of these variables.

    Raises:
        PlaceError: they contradict one another.
    """
    try:
        return WorkerSettings.from_environment(environ)
    except ValidationError as error:
        reasons = [f"{'.'.join(map(str, e['loc']))} {e['msg']}".strip() for e in error.errors()]
        raise PlaceError("; ".join(reasons)) from error
