"""The embedded stack as the soak hurts it: short leases, its executors behind a proxy."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.config import Settings
from app.jobs.tokens import Tokens, WorkerGrant
from app.secret import Keyring
from infra.soak.proxy import LOOPBACK, Proxy, proxying

LEASE_S: Final = 3.0
ENVIRONMENT: Final = "soak"
"""Of the scripted executors: jobs name it, and real workers do not see them."""
_ENGINE: Final = b"comfy_images.engine"
_READY_WITHIN_S: Final = 120.0
_STOP_WITHIN_S: Final = 40.0
_SETTINGS: Final = {
    "COMFYBURST_LEASE_S": str(LEASE_S),
    "COMFYBURST_HEARTBEAT_S": "0.6",
    "COMFYBURST_REAP_EVERY_S": "0.5",
    "COMFYBURST_RETRY_BACKOFF_S": "0.1",
    "COMFYBURST_CANCEL_GRACE_S": "3",
    "COMFYBURST_STALL_TIMEOUT_S": "5",
    "COMFYBURST_LOG_LEVEL": "warning",
    "DATABASE_TIMEOUT_S": "2",
    "COMFYBURST_PROBES": "1",
}


class SoakError(Exception):
    """The stack itself did not start, or ended."""


@dataclass(slots=True)
class SoakStack:
    """A stack that is READY."""

    process: subprocess.Popen[bytes]
    state: Path
    url: str
    api_key: str
    proxy: Proxy
    worker: subprocess.Popen[bytes] | None = None
    """A second real worker, ours to start again."""

    @property
    def database_url(self) -> str:
        """Of its Postgres."""
        return self._services()["database_url"]

    @property
    def redis_url(self) -> str:
        """Of its Valkey."""
        return self._services()["redis_url"]

    def worker_token(self) -> str:
        """For one scripted executor."""
        grant = WorkerGrant(workspaces=None, environments=[ENVIRONMENT], slots=1)
        return Tokens(Keyring.load(Settings(state=self.state))).worker(grant)

    def pid(self, service: str) -> int:
        """Of a service, now."""
        return int((self.state / f"{service}.pid").read_text())

    def family(self, service: str) -> list[int]:
        """A service and all that it started."""
        return [self.pid(service), *_children(self.pid(service))]

    def engines(self) -> list[int]:
        """ComfyUI's processes, of all real workers."""
        workers = [self.pid("worker"), *([self.worker.pid] if self.worker else [])]
        found = [pid for worker in workers for pid in _children(worker)]
        return [pid for pid in found if _ENGINE in _command_line(pid)]

    def workers(self) -> list[int]:
        """The real workers."""
        return [self.pid("worker"), *([self.worker.pid] if self.worker else [])]

    def keep_second_worker(self) -> None:
        """Start it, again where it was killed."""
        if self.worker is not None and self.worker.poll() is None:
            return
        with (self.state / "logs" / "worker-2.log").open("ab") as log:
            self.worker = subprocess.Popen(
                [sys.executable, "-m", "infra.cli.main", "worker"],
                env={
                    **_environment(self.proxy),
                    "COMFYBURST_STATE": str(self.state),
                    "COMFYBURST_WORKER_STATE": str(self.state / "worker-2"),
                },
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def check_alive(self) -> None:
        """Raises SoakError where the supervisor has ended."""
        if self.process.poll() is not None:
            raise SoakError(f"the stack ended with {self.process.returncode}")

    def _services(self) -> dict[str, str]:
        return json.loads((self.state / "services.json").read_text())


@contextmanager
def soak_stack(folder: Path, seed: int) -> Generator[SoakStack]:
    """`comfyburst up` with the engine, until the block ends."""
    port = _free_port()
    ready_file, output = folder / "ready.json", folder / "up.log"
    with proxying(port, seed=seed) as proxy, output.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [
                *(sys.executable, "-m", "infra.cli.main", "up", "--engine"),
                *("--port", str(port), "--state", str(folder / "state")),
                *("--ready-file", str(ready_file)),
            ],
            env=_environment(proxy),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        stack: SoakStack | None = None
        try:
            ready = _wait_ready(process, ready_file, output)
            stack = SoakStack(process, folder / "state", ready["url"], ready["api_key"], proxy)
            stack.keep_second_worker()
            yield stack
        finally:
            _stop([process, *([stack.worker] if stack and stack.worker else [])])


def signal_all(pids: Iterable[int], number: signal.Signals) -> None:
    """To each that still is."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _environment(proxy: Proxy) -> dict[str, str]:
    ours = ("COMFY", "DATABASE_", "REDIS_", "S3_", "AWS_", "PUBLIC_URL", "INTERNAL_URL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, **_SETTINGS, "INTERNAL_URL": proxy.url}


def _free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_ready(process: subprocess.Popen[bytes], ready: Path, output: Path) -> dict[str, Any]:
    until = time.monotonic() + _READY_WITHIN_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > until:
            raise SoakError(f"the stack did not start:\n{output.read_text(errors='replace')}")
        time.sleep(0.05)
    return json.loads(ready.read_text())


def _stop(processes: list[subprocess.Popen[bytes]]) -> None:
    signal_all([process.pid for process in reversed(processes)], signal.SIGTERM)
    for process in reversed(processes):
        try:
            process.wait(_STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _children(parent: int) -> list[int]:
    """All descendants, from /proc."""
    found: list[int] = []
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *_children(child)]
    return found


def _command_line(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
