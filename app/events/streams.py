"""The open streams of this process: how many there may be, and what becomes of who does not read.

A reader holds no queue. Its place in the log is a number, progress and preview are the newest; what
it has not taken lies in two buffers of bounded size, the kernel's and the connection's. While both
are full nothing more is made for it, and if that lasts it is cut: every event carries the id to
resume after (docs/streams.md).
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Final, Protocol

from sse_starlette import EventSourceResponse
from starlette.types import Message, Receive, Scope, Send

from app.errors import AppError
from app.events.sse import PING_S, Frame

log = logging.getLogger(__name__)

KERNEL_BUFFER_BYTES: Final = 131_072
"""Asked for; Linux doubles it. Left to itself it gives a connection up to 4 MB, unseen by RSS."""
RETRY_AFTER_S: Final = 5
ENDS_WITHIN_S: Final = 1.5
"""The library cuts every stream when it sees that the process ends, in the middle of a frame and perhaps
before `leave` could abort who does not read: only after so long, when the hub has long ended them."""
_HEADERS: Final = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class _Socket(Protocol):
    def setsockopt(self, level: int, name: int, value: int, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Streams:
    """Makes streams of frames, and knows those that are open."""

    max_open: int
    stall_s: float
    """A reader that takes nothing for so long is dropped."""
    _open: "set[_Stream]" = field(default_factory=set["_Stream"])

    def respond(self, frames: AsyncGenerator[Frame]) -> EventSourceResponse:
        """A stream, with comments often enough for every client's idle limit.

        Raises:
            AppError: 429 `too_many_streams`.
        """
        if len(self._open) >= self.max_open:
            raise AppError(
                429,
                "too_many_streams",
                "This server holds as many streams as it may. Try again shortly, or poll `urls.self`.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        return _Stream(frames, self)

    def leave(self) -> None:
        """The process ends: do not wait for who does not read. The others are ended by the hub."""
        for stream in self._open:
            if stream.transport is not None and stream.transport.get_write_buffer_size():
                stream.transport.abort()

    @contextmanager
    def counted(self, stream: "_Stream") -> Generator[None]:
        """Open for as long as the block lasts."""
        self._open.add(stream)
        try:
            yield
        finally:
            self._open.discard(stream)


class _StalledError(Exception):
    """Its reader took nothing for too long."""


class _Stream(EventSourceResponse):
    """One of them."""

    transport: asyncio.Transport | None = None

    def __init__(self, frames: AsyncGenerator[Frame], streams: Streams) -> None:
        super().__init__(
            frames,
            headers=_HEADERS,
            ping=PING_S,
            sep="\n",
            shutdown_grace_period=ENDS_WITHIN_S,
        )
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, until it ends or its reader does not read."""
        self.transport = scope.get("state", {}).get("transport")
        if self.transport is not None:
            sock: _Socket = self.transport.get_extra_info("socket")
            sock.setsockopt(SOL_SOCKET, SO_SNDBUF, KERNEL_BUFFER_BYTES)
        stalled = False
        with self._streams.counted(self):
            try:
                await super().__call__(scope, receive, self._patient(send))
            except* _StalledError:  # of its frames, of its comments, or of both
                stalled = True
            if stalled:
                await self._drop(receive)

    def _patient(self, send: Send) -> Send:
        """Waits for a reader that does not read, but not for ever.

        The library can do that too, with an alarm for every frame: a fifth of what a delivery costs.
        """

        async def send_within(message: Message) -> None:
            if self.transport is not None and not self.transport.get_write_buffer_size():
                await send(message)  # nothing lies before it: it does not wait
                return
            try:
                async with asyncio.timeout(self._streams.stall_s):
                    await send(message)
            except TimeoutError as error:
                raise _StalledError from error

        return send_within

    async def _drop(self, receive: Receive) -> None:
        log.info("a reader took nothing for %g s and is dropped", self._streams.stall_s)
        if self.transport is None:
            return
        # Closing would first wait until what is buffered has been taken.
        self.transport.abort()
        while (await receive())["type"] != "http.disconnect":
            pass
