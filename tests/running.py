"""The whole product as processes, as a user starts it, for tests that kill parts of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import psycopg
from psycopg.rows import dict_row

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
POSTER: dict[str, Any] = {
    "1": {
        "class_type": "BurstPoster",
        "inputs": {"prompt": "Hello", "seed": 7, "width": 256, "height": 256},
        "_meta": {"title": "Poster"},
    },
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "poster"}},
}


def steps(count: int, seconds: float, tag: int = 0, *, preview: bool = False) -> dict[str, Any]:
    """A graph that takes its time: `count` steps of `seconds` each; `tag` makes its file differ."""
    return {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 32, "height": 32, "batch_size": 1, "color": tag},
        },
        "2": {
            "class_type": "BurstProbeSteps",
            "inputs": {"image": ["1", 0], "steps": count, "seconds": seconds, "preview": preview},
        },
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "s"}},
    }


@dataclass(slots=True)
class Running:
    """A stack that is READY."""

    process: subprocess.Popen[bytes]
    state: Path
    url: str
    api_key: str
    comfyui: str
    output: Path

    @property
    def api(self) -> str:
        """Base of the public API."""
        return f"{self.url}/api/v2"

    @property
    def auth(self) -> dict[str, str]:
        """Headers of the local workspace."""
        return {"Authorization": f"Bearer {self.api_key}"}

    def pid(self, service: str) -> int:
        """Of a service, now."""
        return int((self.state / f"{service}.pid").read_text())

    def kill(self, service: str) -> None:
        """kill -9."""
        os.kill(self.pid(service), signal.SIGKILL)

    def submit(self, graph: dict[str, Any], **body: Any) -> str:
        """Submit a job; returns its id."""
        reply = httpx.post(
            f"{self.api}/jobs", json={"workflow": graph, **body}, headers=self.auth, timeout=30
        )
        assert reply.status_code == 201, reply.text
        return reply.json()["id"]

    def job(self, job_id: str, *, wait: float = 0) -> dict[str, Any]:
        """A job, at its end if it comes within `wait` seconds."""
        until = time.monotonic() + wait
        while True:
            hold = max(0.0, min(20.0, until - time.monotonic()))
            reply = httpx.get(
                f"{self.api}/jobs/{job_id}?wait={hold:.2f}", headers=self.auth, timeout=30
            )
            job = cast(dict[str, Any], reply.json())
            if reply.status_code == 200 and (job["completed_at"] or time.monotonic() >= until):
                return job
            assert time.monotonic() < until, reply.text

    def wait_for(self, job_id: str, status: str, within_s: float = 20.0) -> None:
        """Until a job has that status."""
        until = time.monotonic() + within_s
        while (job := self.job(job_id))["status"] != status:
            assert time.monotonic() < until, job
            time.sleep(0.05)

    def rows(self, sql: str, **params: Any) -> list[dict[str, Any]]:
        """Straight from its database."""
        url = json.loads((self.state / "services.json").read_text())["database_url"]
        with psycopg.connect(url) as connection:
            return connection.cursor(row_factory=dict_row).execute(sql.encode(), params).fetchall()

    def log(self, service: str) -> str:
        """What a service printed."""
        return (self.state / "logs" / f"{service}.log").read_text(errors="replace")


@contextmanager
def running(
    state: Path, environment: Mapping[str, str] | None = None, *, arguments: tuple[str, ...] = ()
) -> Generator[Running]:
    """`comfyburst up` on a free port until the block ends; then it must stop by itself."""
    ready_file = state.parent / "ready.json"
    output = state.parent / "up.log"
    ready_file.unlink(missing_ok=True)  # of a supervisor that was killed
    with output.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            [*up_command(state), "--ready-file", str(ready_file), *arguments],
            env=clean_environment({"COMFYBURST_PROBES": "1", **(environment or {})}),
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            ready = _wait_ready(process, ready_file, output)
            yield Running(process, state, ready["url"], ready["api_key"], ready["comfyui"], output)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def up_command(state: Path) -> list[str]:
    """`comfyburst up` for scripts."""
    return [sys.executable, "-m", "infra.cli.main", "up", "--port", "0", "--state", str(state)]


def clean_environment(more: Mapping[str, str]) -> dict[str, str]:
    """Ours without what a developer may have set."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COMFY", "DATABASE_", "REDIS_", "S3_", "AWS_"))
        and name != "PUBLIC_URL"
    }
    return {**kept, **more}


def _wait_ready(process: subprocess.Popen[bytes], ready: Path, output: Path) -> dict[str, Any]:
    until = time.monotonic() + START_TIMEOUT_S
    while not ready.exists():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < until, output.read_text()
        time.sleep(0.05)
    return json.loads(ready.read_text())
