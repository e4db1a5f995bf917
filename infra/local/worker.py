"""The local worker as a service of the stack: a token over a pipe, an environment without secrets."""

import contextlib
import os
import sys
from collections.abc import Callable, Generator, Mapping
from typing import Final

from app.config import Settings
from gpu_functions.settings import WorkerSettings, variables
from infra.comfyui.choice import Choice
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
        "COMFYBURST_WORKER_STATE": str(settings.state / "worker"),
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


def serves_any_workspace(choice: Choice) -> bool:
    """Whether its nodes are vouched for: the engine's run no code and read no file of a caller's choice."""
    return choice.place is None or _comfyui(choice).comfyui_shared


def _comfyui(choice: Choice) -> WorkerSettings:
    return WorkerSettings.from_environment(choice.environment(os.environ))
