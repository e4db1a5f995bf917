"""Stacks with short leases, and what is asked of them after they were hurt.

Leases are short, so that minutes become seconds; nothing else differs from `./dev`.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.config import Settings
from app.jobs.tokens import Tokens, WorkerGrant
from app.secret import Keyring
from infra.soak.proxy import Proxy, proxying
from tests.running import Running, clean_environment, running

LEASE_S = 2.0
STALL_S = 3.0
SHORT = {
    "COMFYBURST_LEASE_S": str(LEASE_S),
    "COMFYBURST_HEARTBEAT_S": "0.4",
    "COMFYBURST_REAP_EVERY_S": "0.4",
    "COMFYBURST_RETRY_BACKOFF_S": "0.1",
    "COMFYBURST_STALL_TIMEOUT_S": str(STALL_S),
    "COMFYBURST_CANCEL_GRACE_S": "3",
    "DATABASE_TIMEOUT_S": "2",
    "COMFYBURST_STREAM_STALL_S": "5",
}
TERMINAL = frozenset({"succeeded", "failed", "canceled", "expired"})
_ENGINE = "comfy_images.engine"


@dataclass(frozen=True, slots=True)
class Chaos:
    """A stack whose worker reaches its front door through a proxy; callers reach it directly."""

    stack: Running
    proxy: Proxy


@contextmanager
def stack_of(folder: Path, **more: str) -> Generator[Running]:
    """A stack with short leases."""
    with running(folder / "state", {**SHORT, **more}) as stack:
        yield stack


@contextmanager
def stack_behind_a_proxy(folder: Path, **more: str) -> Generator[Chaos]:
    """The same, with a proxy on the worker's way."""
    port = free_port()
    with (
        proxying(port) as proxy,
        running(
            folder / "state",
            {**SHORT, "INTERNAL_URL": proxy.url, **more},
            arguments=("--port", str(port)),
        ) as stack,
    ):
        yield Chaos(stack, proxy)


def free_port() -> int:
    """A loopback port that nobody has now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def events_of(stack: Running, job_id: str) -> list[dict[str, Any]]:
    """The event log of a job, from its database."""
    return stack.rows(
        "select seq, epoch, type, data from app.job_events where job_id = %(id)s order by seq",
        id=job_id,
    )


def check_promises(stack: Running, job_ids: list[str]) -> None:
    """Every job ended exactly once, its log is dense, and nothing follows its end."""
    for job_id in job_ids:
        events = events_of(stack, job_id)
        assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
        epochs = [e["epoch"] for e in events]
        assert epochs == sorted(epochs)
        ends = [e for e in events if e["type"] == "status" and e["data"]["status"] in TERMINAL]
        assert ends == [events[-1]], events


def reasons_of(stack: Running, job_id: str) -> list[str]:
    """Why each earlier start of a job was not its last, in order."""
    events = events_of(stack, job_id)
    return [e["data"]["retry"]["code"] for e in events if e["data"].get("retry")]


def ended_job(stack: Running, job_id: str, within_s: float = 60.0) -> dict[str, Any]:
    """A job at its end, whatever the front door goes through meanwhile."""
    until = time.monotonic() + within_s
    while True:
        try:
            job = stack.job(job_id, wait=min(20.0, within_s))
        except (httpx.HTTPError, AssertionError):
            assert time.monotonic() < until, f"{job_id} did not end"
            time.sleep(0.2)
            continue
        assert job["completed_at"], job
        return job


def comfyui_of(stack: Running) -> psutil.Process:
    """The engine's process, below the worker's."""
    for child in psutil.Process(stack.pid("worker")).children(recursive=True):
        if _ENGINE in " ".join(child.cmdline()):
            return child
    raise AssertionError("the worker has no ComfyUI")


def eventually(work: Callable[[], object], within_s: float = 20.0) -> None:
    """Until it does not raise."""
    until = time.monotonic() + within_s
    while True:
        try:
            work()
        except (AssertionError, OSError, psutil.Error, ValueError, httpx.HTTPError):
            assert time.monotonic() < until
            time.sleep(0.1)
        else:
            return


def family_of(pid: int) -> list[psutil.Process]:
    """A process and everything below it."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


@contextmanager
def frozen(processes: list[psutil.Process]) -> Generator[None]:
    """SIGSTOP for as long as the block lasts: nothing answers, nothing is closed."""
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):  # it was replaced meanwhile
                process.send_signal(signal.SIGCONT)


def mint_worker_token(stack: Running, environment: str = "local") -> str:
    """What the operator's command hands to a worker."""
    grant = WorkerGrant(workspaces=None, environments=[environment], slots=1)
    return Tokens(Keyring.load(Settings(state=stack.state))).worker(grant)


@contextmanager
def more_workers(
    stack: Running, count: int = 1, *, internal_url: str | None = None
) -> Generator[list[subprocess.Popen[bytes]]]:
    """Workers beside the stack's own, started as an operator would."""
    processes: list[subprocess.Popen[bytes]] = []
    for _ in range(count):
        name = f"worker-{free_port()}"
        environment = clean_environment(
            {
                "COMFYBURST_PROBES": "1",
                "COMFYBURST_STATE": str(stack.state),
                "COMFYBURST_WORKER_STATE": str(stack.state.parent / name),
                "COMFYBURST_READY_FILE": str(stack.state.parent / f"{name}.ready"),
                "INTERNAL_URL": internal_url or stack.url,
            }
        )
        with (stack.state.parent / f"{name}.log").open("wb") as log:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "infra.cli.main", "worker"],
                    env=environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
    try:
        yield processes
    finally:
        for process in processes:
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def requests(method: str, path: str) -> re.Pattern[bytes]:
    """The first bytes of those requests; `path` is a regular expression."""
    return re.compile(f"{method} {path}".encode())
