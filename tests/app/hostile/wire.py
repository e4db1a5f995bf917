"""HTTP by hand: what no client library would send, and what comes back, byte by byte."""

import json
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from http.client import parse_headers
from typing import Any
from urllib.parse import urlsplit

BOUNDARY = "bound"


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """Of the envelope, which it must be."""
        assert self.headers["content-type"] == "application/json", self
        assert self.headers["x-comfy-request-id"], self
        body: dict[str, Any] = json.loads(self.body)
        assert set(body) == {"error"}, body
        assert set(body["error"]) == {"code", "message", "details"}, body
        return body["error"]["code"]


@dataclass(frozen=True, slots=True)
class Wire:
    """Sends bytes as they are."""

    url: str
    key: str

    def connect(self) -> socket.socket:
        """A bare connection."""
        parts = urlsplit(self.url)
        return socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)

    def head(self, method: str, path: str, *more: str) -> bytes:
        """A request up to its body, with alice's key."""
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {urlsplit(self.url).netloc}",
            f"Authorization: Bearer {self.key}",
        ]
        return "\r\n".join([*lines, *more, "", ""]).encode("latin-1")

    def send(self, *parts: bytes, pause_s: float = 0, replies: int = 1) -> list[Reply]:
        """Send the parts, then read so many answers; fewer where the connection ends."""
        with self.connect() as connection:
            for part in parts:
                with suppress(ConnectionError):  # it may have been refused already
                    connection.sendall(part)
                time.sleep(pause_s)
            return list(read_replies(connection, replies))

    def one(self, *parts: bytes) -> Reply:
        """The only answer."""
        [reply] = self.send(*parts)
        return reply

    def upload(self, body: bytes, *more: str) -> Reply:
        """POST a multipart body as it is."""
        kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
        length = f"Content-Length: {len(body)}"
        return self.one(self.head("POST", "/api/v2/assets", kind, length, *more) + body)

    def submit(self, body: bytes, *more: str) -> Reply:
        """POST a job as it is."""
        more = more or ("Content-Type: application/json",)
        length = f"Content-Length: {len(body)}"
        return self.one(self.head("POST", "/api/v2/jobs", length, *more) + body)


def read_replies(connection: socket.socket, count: int) -> Iterable[Reply]:
    """Answers as they come; fewer where the connection ends."""
    with connection.makefile("rb") as stream, suppress(ConnectionError):
        for _ in range(count):
            status_line = stream.readline()
            if not status_line:
                return
            headers = {name.lower(): value for name, value in parse_headers(stream).items()}
            body = stream.read(int(headers.get("content-length", 0)))
            yield Reply(int(status_line.split()[1]), headers, body)


def part(name: str, value: bytes | str, *, disposition: str = "", headers: str = "") -> bytes:
    """One part of a form."""
    content = value.encode() if isinstance(value, str) else value
    disposition = disposition or f'form-data; name="{name}"'
    start = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n{headers}\r\n"
    return start.encode() + content + b"\r\n"


def form(*parts: bytes, end: bytes = f"--{BOUNDARY}--\r\n".encode()) -> bytes:
    """A whole form."""
    return b"".join([*parts, end])


TEXTS = part("content_type", "image/png") + part("file_path", "photo.png")
FILE = part("file", b"some bytes", disposition='form-data; name="file"; filename="photo.png"')
