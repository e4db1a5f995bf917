"""`comfyburst up`: the whole product on one machine, from what is installed here."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from app.config import Settings
from app.secret import SecretError
from infra.local.console import say
from infra.local.greeting import greeting
from infra.local.places import PlaceError, private_folder
from infra.local.postgres import EmbeddedPostgres, PostgresMissingError
from infra.local.provision import Provisioned, provision
from infra.local.running import SERVICES_FILE, write_services
from infra.local.service import Service
from infra.local.stack import NAME, AlreadyRunningError, Stack, StackError, only_one
from infra.local.valkey import EmbeddedValkey, ValkeyMissingError

DEFAULT_PORT: Final = 8000
READY_FILE: Final = "ready.json"
EXIT_FAILED: Final = 1
EXIT_ALREADY_RUNNING: Final = 3
WORKER_STOP_S: Final = 20.0

# The worker runs other people's code beside it: it gets what it needs and nothing that opens a door.
_WORKER_ENVIRONMENT: Final = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "SSL_CERT_FILE"),
    *("COMFYUI_URL", "COMFYUI_DIR", "COMFYUI_PYTHON", "COMFYUI_ARGS", "COMFYUI_SHARED"),
    *("COMFYUI_START_TIMEOUT_S", "COMFYBURST_PROBES", "HF_HOME"),
)
_WORKER_PREFIXES: Final = ("CUDA_", "NVIDIA_", "PYTORCH_", "HIP_", "ROCM_")


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What the command line may say."""

    port: int | None = None
    state: Path | None = None
    ready_file: Path | None = None


def run_up(options: UpOptions) -> int:
    """Run until stopped; returns the exit code and has said the reason."""
    try:
        settings = Settings()
        state = (options.state or settings.state).absolute()
        private_folder(state)
        settings = settings.model_copy(update={"state": state})
        with only_one(state):
            return asyncio.run(_up(settings, options))
    except AlreadyRunningError as error:
        say(NAME, f"{error}{_where(options)}", error=True)
        return EXIT_ALREADY_RUNNING
    except (StackError, PlaceError, PostgresMissingError, ValkeyMissingError, SecretError) as error:
        say(NAME, f"FAILED: {error}", error=True)
        return EXIT_FAILED


def _where(options: UpOptions) -> str:
    path = (options.state or Settings().state) / READY_FILE
    with contextlib.suppress(OSError, ValueError, KeyError):
        return f" at {json.loads(path.read_text())['url']}"
    return ""


async def _up(settings: Settings, options: UpOptions) -> int:
    started = time.monotonic()
    stack = Stack(settings.state)
    _stop_on_signals(stack)
    ready_files = [settings.state / READY_FILE]
    if options.ready_file is not None:
        ready_files.append(options.ready_file)
    try:
        settings = await _start_stores(stack, settings)
        listener = _listener(settings, options.port)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        provisioned = await _provisioned(settings)
        front_door = _front_door(settings, listener, url)
        worker = _worker(settings, provisioned, url)
        await asyncio.gather(stack.start(front_door), stack.start(worker))
        comfyui = await asyncio.to_thread(_comfyui_of, url)
        ready = {"url": url, "api_key": provisioned.api_key, "comfyui": comfyui, "pid": os.getpid()}
        for path in ready_files:
            _write_private(path, json.dumps(ready))
        if not stack.stopping.is_set():
            print(greeting(url, comfyui, settings.state, time.monotonic() - started), flush=True)
        await stack.stopping.wait()
    finally:
        for path in [*ready_files, settings.state / SERVICES_FILE]:
            path.unlink(missing_ok=True)
        await stack.stop()
    if stack.failure:
        raise StackError(stack.failure)
    return 0


def _stop_on_signals(stack: Stack) -> None:
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stack.stopping.is_set():
            stack.kill()
            return
        say(NAME, "stopping (once more kills)")
        stack.stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, on_signal)


async def _start_stores(stack: Stack, settings: Settings) -> Settings:
    """Start Postgres and Valkey where no URL names others."""
    starts: list[Service] = []
    update: dict[str, Any] = {}
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}
    if not settings.database_url:
        postgres = EmbeddedPostgres(settings.state)
        try:
            postgres.prepare()
        except subprocess.CalledProcessError as error:
            raise StackError(f"initdb failed with {error.returncode}") from error
        update["database_url"] = postgres.url
        starts.append(
            Service(
                "postgres",
                postgres.argv,
                postgres.ready,
                environment,
                cwd="/",
                stop_signal=signal.SIGINT,
                popen=postgres.popen,
            )
        )
    if not settings.redis_url:
        valkey = EmbeddedValkey(settings.state)
        valkey.prepare()
        update["redis_url"] = valkey.url
        starts.append(Service("valkey", valkey.argv, valkey.ready, environment))
    await asyncio.gather(*(stack.start(service) for service in starts))
    settings = settings.model_copy(update=update)
    write_services(settings.state, settings.database_url, settings.redis_url)
    return settings


async def _provisioned(settings: Settings) -> Provisioned:
    # The engine's own nodes run no code and read no files of a caller's choosing.
    engine = not os.environ.get("COMFYUI_URL") and not os.environ.get("COMFYUI_DIR")
    shared = os.environ.get("COMFYUI_SHARED", "").lower() in {"1", "true", "yes", "on"}
    try:
        return await provision(settings, any_workspace=engine or shared)
    except psycopg.Error as error:
        raise StackError(f"the database cannot be used: {error}") from error


def _listener(settings: Settings, port: int | None) -> socket.socket:
    """Bind here and hand it over: a restart of the front door then refuses nobody."""
    wanted = port if port is not None else settings.port
    for candidate in (wanted, 0):
        try:
            return socket.create_server(("127.0.0.1", candidate), backlog=2_048)
        except OSError:
            say(NAME, f"port {candidate} is taken; using another")
    raise StackError("no port is free")


def _front_door(settings: Settings, listener: socket.socket, url: str) -> Service:
    environment = {
        **os.environ,
        "COMFYBURST_STATE": str(settings.state),
        "COMFYBURST_LISTEN_FD": str(listener.fileno()),
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "INTERNAL_URL": settings.internal_url or url,
        "PYTHONUNBUFFERED": "1",
    }

    async def ready() -> bool:
        return await asyncio.to_thread(_answers, f"{url}/readyz")

    return Service(
        "front-door",
        [sys.executable, "-m", "app"],
        ready,
        environment,
        before_start=lambda: {"pass_fds": (listener.fileno(),)},
    )


def _worker(settings: Settings, provisioned: Provisioned, url: str) -> Service:
    ready_file = settings.state / "worker.ready"
    environment = {
        name: value
        for name, value in os.environ.items()
        if name in _WORKER_ENVIRONMENT or name.startswith(_WORKER_PREFIXES)
    } | {
        "INTERNAL_URL": settings.internal_url or url,
        "REDIS_URL": settings.redis_url,
        "COMFYBURST_WORKER_STATE": str(settings.state / "worker"),
        "COMFYBURST_READY_FILE": str(ready_file),
        "PYTHONUNBUFFERED": "1",
    }

    def with_token() -> Mapping[str, Any]:
        ready_file.unlink(missing_ok=True)
        reading, writing = os.pipe()
        os.write(writing, provisioned.worker_token.encode())
        os.close(writing)
        return {"pass_fds": (reading,), "env": {"COMFYBURST_WORKER_TOKEN_FD": str(reading)}}

    async def ready() -> bool:
        return ready_file.exists()

    return Service(
        "worker",
        [sys.executable, "-m", "gpu_functions.celery_app"],
        ready,
        environment,
        stop_timeout_s=WORKER_STOP_S,
        ready_timeout_s=float(os.environ.get("COMFYUI_START_TIMEOUT_S") or 180) + 30,
        before_start=with_token,
        after_start=lambda extra: os.close(extra["pass_fds"][0]),
        essential=False,
    )


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 - our own loopback URL
            return reply.status == 200
    except urllib.error.URLError:
        return False


def _comfyui_of(url: str) -> str:
    """What the newest registration says that does the work."""
    with urllib.request.urlopen(f"{url}/readyz", timeout=5) as reply:  # noqa: S310
        known: dict[str, Any] = json.load(reply)
    for environment in known["environments"]:
        if environment["name"] == "local":
            return str(environment["comfyui_version"])
    return "none"


def _write_private(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    temporary.replace(path)
