"""A reader of event streams, in a thread, as a client would be."""

import contextlib
import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.app.conftest import House


@dataclass
class Read:
    """One frame."""

    event: str
    data: dict[str, Any]
    id: str | None


@dataclass
class Reader:
    """Reads a stream in a thread, as a client would."""

    frames: list[Read] = field(default_factory=list[Read])
    news: threading.Condition = field(default_factory=threading.Condition)
    ended: bool = False
    status_code: int = 0

    def run(self, url: str, headers: dict[str, str]) -> None:
        with httpx.stream("GET", url, headers=headers, timeout=20) as reply:
            self.status_code = reply.status_code
            fields: dict[str, str] = {}
            for line in reply.iter_lines():
                name, _, value = line.partition(": ")
                if line and not line.startswith(":"):
                    fields[name] = value
                elif fields:
                    self.take(fields)
                    fields = {}
        with self.news:
            self.ended = True
            self.news.notify_all()

    def run_until_cut(self, url: str, headers: dict[str, str]) -> None:
        """The same, where the server may go away."""
        with contextlib.suppress(httpx.TransportError):
            self.run(url, headers)

    def take(self, fields: dict[str, str]) -> None:
        with self.news:
            self.frames.append(Read(fields["event"], json.loads(fields["data"]), fields.get("id")))
            self.news.notify_all()

    def wait_for(self, *events: str) -> None:
        """Until the names of the frames so far are these."""
        with self.news:
            arrived = self.news.wait_for(lambda: [f.event for f in self.frames] == list(events), 8)
        assert arrived, [f.event for f in self.frames]

    def wait_until(self, told: Callable[[list[Read]], object]) -> None:
        """Until the frames so far tell it."""
        with self.news:
            arrived = self.news.wait_for(lambda: told(self.frames), 10)
        assert arrived, self.frames

    def wait_for_end(self) -> None:
        """Until the server closed the stream."""
        with self.news:
            assert self.news.wait_for(lambda: self.ended, 8), [f.event for f in self.frames]


@contextmanager
def reading_path(house: House, path: str, **headers: str) -> Generator[Reader]:
    """Read a stream until the block ends, and then to the stream's own end."""
    reader = Reader()
    auth = {"Authorization": f"Bearer {house.alice.key}", **headers}
    url = f"{house.url}/api/v2{path}"
    thread = threading.Thread(target=reader.run, args=(url, auth), daemon=True)
    thread.start()
    yield reader
    thread.join(10)
    assert not thread.is_alive()
