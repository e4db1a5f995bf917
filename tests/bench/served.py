"""A front door as a process of its own, and a caller light enough not to be measured itself."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app.config import Settings

START_TIMEOUT_S = 20.0


@dataclass(slots=True)
class Light:
    """Keep-alive HTTP by the standard library."""

    connection: http.client.HTTPConnection
    headers: dict[str, str]

    @classmethod
    def of(cls, url: str, key: str) -> "Light":
        """A caller with a key."""
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
        return cls(
            connection, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        )

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """One request."""
        self.connection.request(method, path, body, self.headers)
        reply = self.connection.getresponse()
        return reply.status, reply.read()

    def submit(self, workflow: dict[str, Any]) -> dict[str, Any]:
        """Submit a job."""
        status, body = self.call(
            "POST", "/api/v2/jobs", json.dumps({"workflow": workflow}).encode()
        )
        assert status == 201, body
        return json.loads(body)


@contextmanager
def served(settings: Settings) -> Generator[str]:
    """`python -m app` on a free port; yields its URL."""
    with served_process(settings) as (url, _):
        yield url


@contextmanager
def served_process(settings: Settings) -> Generator[tuple[str, subprocess.Popen[bytes]]]:
    """The same, with its process."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        environment = {
            **os.environ,
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "DATABASE_POOL_SIZE": str(settings.database_pool_size),
            "COMFYBURST_MAX_QUEUED": str(settings.max_queued),
            "COMFYBURST_STATE": str(settings.state),
            "COMFYBURST_LISTEN_FD": str(listener.fileno()),
            "COMFYBURST_LOG_LEVEL": "warning",
            "INTERNAL_URL": f"http://127.0.0.1:{port}",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "app"], env=environment, pass_fds=(listener.fileno(),)
        )
        try:
            _wait(port)
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def _wait(port: int) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_TIMEOUT_S)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        finally:
            connection.close()
        time.sleep(0.05)
    raise TimeoutError("the front door is not ready")
