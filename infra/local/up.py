"""`comfyburst up`: the whole product on one machine, from what is installed here."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from pydantic import ValidationError

from app.config import Settings
from app.secret import SecretError
from infra.comfyui.choice import Choice, choose
from infra.comfyui.installed import BrokenInstallationError
from infra.local.console import say
from infra.local.front_door import front_door_service, listen, readiness, url_of
from infra.local.greeting import greeting
from infra.local.places import PlaceError, private_folder
from infra.local.postgres import PostgresMissingError
from infra.local.private_file import write_private
from infra.local.provision import provision
from infra.local.running import SERVICES_FILE, write_services
from infra.local.service import Service
from infra.local.single import AlreadyRunningError, only_one
from infra.local.stack import NAME, Stack, StackError
from infra.local.stores import postgres_service, valkey_service
from infra.local.valkey import ValkeyMissingError
from infra.local.worker import serves_any_workspace, worker_service

READY_FILE: Final = "ready.json"
EXIT_FAILED: Final = 1
EXIT_ALREADY_RUNNING: Final = 3
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

_REASONS = (
    StackError,
    PlaceError,
    BrokenInstallationError,
    PostgresMissingError,
    ValkeyMissingError,
    SecretError,
    OSError,
)


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What the command line may say."""

    port: int | None = None
    state: Path | None = None
    ready_file: Path | None = None
    engine: bool = False


def run_up(options: UpOptions) -> int:
    """Run until stopped; returns the exit code and has said the reason."""
    os.umask(0o077)  # nothing that the parts make is for other users
    try:
        settings = _settings(options)
        return _run_alone(settings, options)
    except _REASONS as error:
        say(NAME, f"FAILED: {error}", error=True)
        return EXIT_FAILED


def _run_alone(settings: Settings, options: UpOptions) -> int:
    private_folder(settings.state)
    try:
        with only_one(settings.state):
            choice = choose(os.environ, settings.state, engine=options.engine)
            return asyncio.run(_up(settings, choice, options.ready_file))
    except AlreadyRunningError as error:
        say(NAME, f"{error}{_where(settings.state)}", error=True)
        return EXIT_ALREADY_RUNNING


def _settings(options: UpOptions) -> Settings:
    try:
        settings = Settings()
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise StackError("; ".join(wrong)) from error
    if settings.host not in _LOOPBACK:
        raise StackError(
            f"COMFYBURST_HOST={settings.host}: this serves your own machine only. To serve others "
            "run `comfyburst serve` with DATABASE_URL and PUBLIC_URL."
        )
    update: dict[str, Any] = {"state": (options.state or settings.state).absolute()}
    if options.port is not None:
        update["port"] = options.port
    return settings.model_copy(update=update)


def _where(state: Path) -> str:
    with contextlib.suppress(OSError, ValueError, KeyError):
        return f", URL {json.loads((state / READY_FILE).read_text())['url']}"
    return ""


async def _up(settings: Settings, choice: Choice, ready_file: Path | None) -> int:
    started = time.monotonic()
    stack = Stack(settings.state)
    _stop_on_signals(stack)
    announcements = [settings.state / READY_FILE, *([ready_file] if ready_file else [])]
    try:
        with _removed_afterwards([*announcements, settings.state / SERVICES_FILE]):
            ready = await _start(stack, settings, choice)
            if ready is not None:
                for path in announcements:
                    write_private(path, json.dumps(ready) + "\n")
                seconds = time.monotonic() - started
                text = greeting(ready["url"], ready["comfyui"], settings.state, seconds, choice)
                print(text, flush=True)
            await stack.stopping.wait()
    finally:
        await stack.stop()
    if stack.failure:
        raise StackError(stack.failure)
    say(NAME, "stopped")
    return 0


@contextlib.contextmanager
def _removed_afterwards(paths: Sequence[Path]) -> Generator[None]:
    """Files that speak of a running stack must not outlive it; nor may those of a killed one stay."""
    for path in paths:
        path.unlink(missing_ok=True)
    try:
        yield
    finally:
        for path in paths:
            path.unlink(missing_ok=True)


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


async def _start(stack: Stack, settings: Settings, choice: Choice) -> dict[str, Any] | None:
    """Start all parts in their order; what the ready file says, None when told to stop meanwhile."""
    listener = listen(settings.port)
    url = url_of(listener)
    settings = await _start_stores(stack, settings)
    if stack.stopping.is_set():
        return None
    try:
        provisioned = await provision(settings, any_workspace=serves_any_workspace(choice))
    except psycopg.Error as error:
        raise StackError(f"the database cannot be used: {error}") from error
    write_services(settings.state, settings.database_url, settings.redis_url)
    await stack.start(
        [
            front_door_service(settings, listener),
            worker_service(settings, provisioned.mint_worker_token, url, choice),
        ]
    )
    if stack.stopping.is_set():
        return None
    comfyui = await asyncio.to_thread(_comfyui_version, url)
    return {"url": url, "api_key": provisioned.api_key, "comfyui": comfyui, "pid": os.getpid()}


async def _start_stores(stack: Stack, settings: Settings) -> Settings:
    """Start Postgres and Valkey where no URL names others; the settings that name ours."""
    update: dict[str, str] = {}
    services: list[Service] = []
    for name, make in (("database_url", postgres_service), ("redis_url", valkey_service)):
        if not getattr(settings, name):
            service, update[name] = await asyncio.to_thread(make, settings.state)
            services.append(service)
    await stack.start(services)
    return settings.model_copy(update=update)


def _comfyui_version(url: str) -> str:
    """What registered as `local`, as the front door tells it."""
    known: list[dict[str, Any]] = (readiness(url) or {}).get("environments", [])
    versions = [str(e["comfyui_version"]) for e in known if e["name"] == "local"]
    return versions[0] if versions else "unknown"
