"""uvicorn's fast HTTP parser with the limits it lacks: 32 KiB of headers, sent within 10 s.

With httptools uvicorn takes a header of 10 MB and never closes a half-sent request line
(facts/security.md §3.1).
"""

import asyncio
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADER_BYTES: Final = 32_768
_TOO_LARGE: Final = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


class GuardedProtocol(HttpToolsProtocol):
    """One connection."""

    headers_within_s: ClassVar[float] = 10.0
    _in_headers = True
    _header_bytes = 0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client that says nothing is not waited for either."""
        super().connection_made(transport)
        self._wait_for_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        """The timer ends with the connection."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what arrives before the headers are complete."""
        before = self._header_bytes
        super().data_received(data)
        if self._in_headers:
            self._header_bytes = before + len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._refuse(_TOO_LARGE)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_headers, self._header_bytes = True, 0
        self._wait_for_headers()

    def on_headers_complete(self) -> None:
        """The body may take its time; routes bound its size."""
        self._in_headers, self._header_bytes = False, 0
        self._stop_waiting()
        super().on_headers_complete()

    def _wait_for_headers(self) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(self.headers_within_s, self._refuse, b"")

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _refuse(self, reply: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(reply)
            self.transport.close()
