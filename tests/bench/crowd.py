"""A crowd of stream readers in one event loop: when the last of them has heard, and how many have."""

import asyncio
import resource
import time
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

CONNECT_AT_ONCE = 100
PATIENCE_S = 60.0
RESERVE = 256


@dataclass(slots=True)
class Crowd:
    """Readers of one address. A marker is a text that occurs in one event and nowhere else."""

    address: tuple[str, int]
    request: bytes
    members: "list[_Member]" = field(default_factory=list["_Member"])
    marker: bytes = b"event: "
    heard: int = 0
    heard_at: float = 0.0
    all_heard: asyncio.Event = field(default_factory=asyncio.Event)

    @classmethod
    def of(cls, url: str, key: str = "") -> Self:
        """Nobody yet."""
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        auth = f"Authorization: Bearer {key}\r\n" if key else ""
        head = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n{auth}\r\n"
        return cls((parts.hostname, parts.port), head.encode())

    async def grow(self, size: int) -> None:
        """Connect until there are so many, each with its first event."""
        allow_open_files(size)
        loop = asyncio.get_running_loop()
        while len(self.members) < size:
            batch = min(CONNECT_AT_ONCE, size - len(self.members))
            self._expect(b"event: status", batch)
            made = await asyncio.gather(
                *(
                    loop.create_connection(lambda: _Member(self), *self.address)
                    for _ in range(batch)
                )
            )
            self.members += [member for _, member in made]
            await asyncio.wait_for(self.all_heard.wait(), PATIENCE_S)

    def expect(self, marker: str) -> None:
        """The next event has this in it."""
        self._expect(marker.encode(), len(self.members))

    async def last_heard_at(self) -> float:
        """When the last of them heard, by `time.perf_counter`."""
        await asyncio.wait_for(self.all_heard.wait(), PATIENCE_S)
        return self.heard_at

    async def leave(self) -> None:
        """Hang up."""
        for member in self.members:
            member.hang_up()
        self.members = []
        await asyncio.sleep(0.5)

    def take(self, data: bytes) -> None:
        """What one of them received."""
        if self.marker in data:
            self.heard += 1
            if self.heard == self.target:
                self.heard_at = time.perf_counter()
                self.all_heard.set()

    target: int = 0

    def _expect(self, marker: bytes, target: int) -> None:
        self.marker, self.target, self.heard = marker, target, 0
        self.all_heard.clear()


class _Member(asyncio.Protocol):
    """One connection."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(self._crowd.request)

    def data_received(self, data: bytes) -> None:
        self._crowd.take(data)

    def hang_up(self) -> None:
        if self._transport:
            self._transport.abort()


def allow_open_files(count: int) -> None:
    """Let this process hold so many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count + RESERVE:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
