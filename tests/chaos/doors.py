"""A front door as a process on a socket that outlives it, and readers that come back when cut."""

import asyncio
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from app.config import Settings

START_TIMEOUT_S = 30.0
LAST_CHUNK = b"0\r\n"
LONGEST_LINE_BYTES = 1 << 20
CUT = (ConnectionError, asyncio.IncompleteReadError, TimeoutError)


@dataclass(slots=True)
class Door:
    """`python -m app`, started as often as wanted on one listening socket."""

    settings: Settings
    listener: socket.socket
    environment: dict[str, str]
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.listener.getsockname()[1]

    @property
    def url(self) -> str:
        """The same, for clients."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def seen(self) -> psutil.Process:
        """The process of the moment."""
        assert self.process is not None
        return psutil.Process(self.process.pid)

    @property
    def said(self) -> str:
        """All that its processes have logged."""
        return self._log.read_text()

    @property
    def _log(self) -> Path:
        return self.settings.state / "door.log"

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        settings = self.settings
        environment = {
            **os.environ,
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "DATABASE_POOL_SIZE": str(settings.database_pool_size),
            "DATABASE_TIMEOUT_S": "2",
            "COMFYBURST_STATE": str(settings.state),
            "COMFYBURST_LISTEN_FD": str(self.listener.fileno()),
            "COMFYBURST_LOG_LEVEL": "info",
            "INTERNAL_URL": self.url,
            **self.environment,
        }
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "app"],
                env=environment,
                pass_fds=(self.listener.fileno(),),
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + START_TIMEOUT_S
        while not self._is_ready():
            assert self.process.poll() is None, self.said
            assert time.monotonic() < until, "the front door is not ready"
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_TIMEOUT_S)
        with closing(connection), suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        return False

    def end(self, how: signal.Signals) -> float:
        """End it; returns how many seconds that took."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(how)
        self.process.wait(30)
        return time.monotonic() - began


@contextmanager
def opened_door(settings: Settings, **environment: str) -> Generator[Door]:
    """A front door that is ready."""
    with socket.create_server(("127.0.0.1", 0), backlog=2_048) as listener:
        door = Door(settings, listener, environment)
        try:
            door.start()
            yield door
        finally:
            if door.process is not None:
                door.process.kill()
                door.process.wait()


@dataclass(slots=True)
class Follower:
    """Reads the stream of a job to its end, and comes back with its last id whenever it is cut."""

    port: int
    path: str
    key: str
    ids: list[int] = field(default_factory=list[int])
    last_status: str = ""
    connected: int = 0
    refused: int = 0
    """Connects that nobody took: none while a supervisor holds the socket."""
    answers: list[bytes] = field(default_factory=list[bytes])
    """Status lines other than 200."""

    async def run(self) -> None:
        """Until the job has ended."""
        while self.last_status not in {"succeeded", "failed", "canceled", "expired"}:
            with suppress(*CUT):
                await self._read()
            await asyncio.sleep(0.05)

    async def _read(self) -> None:
        try:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", self.port, limit=LONGEST_LINE_BYTES
            )
        except ConnectionRefusedError:
            self.refused += 1
            raise
        try:
            writer.write(
                request(self.port, self.path, self.key, self.ids[-1] if self.ids else None)
            )
            answer = await reader.readline()
            if b" 200 " not in answer:
                self.answers += [answer] if answer else []
                return
            self.connected += 1
            await self._frames(reader)
        finally:
            writer.close()

    async def _frames(self, reader: asyncio.StreamReader) -> None:
        fields: dict[str, str] = {}
        while (line := await reader.readline()) not in {b"", LAST_CHUNK}:
            if line == b"\n":
                self._take(fields)
                fields = {}
            elif line.startswith((b"id: ", b"event: ", b"data: ")):
                name, _, value = line.decode().rstrip("\n").partition(": ")
                fields[name] = value

    def _take(self, fields: dict[str, str]) -> None:
        if "id" in fields:
            self.ids.append(int(fields["id"]))
        if fields.get("event") == "status":
            self.last_status = fields["data"].partition('"status":"')[2].partition('"')[0]


def request(port: int, path: str, key: str, last_event_id: int | None = None) -> bytes:
    """A GET as it goes over the wire."""
    resume = "" if last_event_id is None else f"Last-Event-ID: {last_event_id}\r\n"
    return (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"{resume}\r\n"
    ).encode()
