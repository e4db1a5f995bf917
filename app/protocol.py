"""uvicorn's fast HTTP parser with the limits it lacks: on headers, and on the pace of a body.

With httptools uvicorn takes a header of 10 MB, never closes a half-sent request line and waits for
a body for ever (facts/security.md §3.1). What is refused here never reaches the application, so
the envelope is written by hand.
"""

import asyncio
import secrets
from http import HTTPStatus
from typing import Any, ClassVar, Final

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.logs import REQUEST_ID_HEADER

MAX_HEADER_BYTES: Final = 32_768


class GuardedProtocol(HttpToolsProtocol):
    """One connection.

    A body may stall, or crawl below `min_body_bytes_s`, for one window at most. Half a kilobyte a
    second lets the worst mobile network pass; a window in which we ourselves stopped reading is
    not held against the client.
    """

    headers_within_s: ClassVar[float] = 10.0
    body_window_s: ClassVar[float] = 20.0
    min_body_bytes_s: ClassVar[float] = 512.0

    _in_headers = True
    _in_body = False
    _header_bytes = 0
    _body_bytes = 0
    _paused = False
    _begun = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """A client that says nothing is not waited for either."""
        super().connection_made(transport)
        self._later(self.headers_within_s, self._headers_late)

    def connection_lost(self, exc: Exception | None) -> None:
        """The timer ends with the connection."""
        self._no_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what arrives before the headers are complete."""
        self._begun = int(self._in_headers and self._header_bytes > 0)
        began_after_a_body = self._in_body
        super().data_received(data)
        if self._in_headers and self._begun <= 1 and not began_after_a_body:
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_headers, self._in_body, self._header_bytes = True, False, 0
        self._begun += 1
        self._later(self.headers_within_s, self._headers_late)

    def on_headers_complete(self) -> None:
        """From here on the pace of the body counts; routes bound its size."""
        if sum(len(n) + len(v) for n, v in self.headers) + len(self.url) > MAX_HEADER_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            raise _RefusedError
        # For streams, which must be able to cut a reader that does not read.
        self.scope.setdefault("state", {})["transport"] = self.transport
        super().on_headers_complete()  # raises where the address is none
        self._in_headers, self._in_body, self._header_bytes = False, True, 0
        self._open_window()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._body_bytes += len(body)
        super().on_body(body)
        self._paused = self._paused or self.flow.read_paused

    def on_message_complete(self) -> None:
        """Nothing more is expected; how long the answer takes is no concern of ours."""
        self._in_body = False
        self._no_timer()
        super().on_message_complete()

    def shutdown(self) -> None:
        """The server ends: requests that are held are answered now, not cut when it is gone."""
        leave = self.app_state.get("leave")
        if leave:
            leave()
        super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn answers in plain text where its parser gives up."""
        self._refuse(HTTPStatus.BAD_REQUEST)

    def _should_upgrade(self) -> bool:
        return False  # we speak no WebSocket: such a request is answered as if it had not asked

    def _unsupported_upgrade_warning(self) -> None:
        """A line in the log for each would let strangers fill it."""

    def _open_window(self) -> None:
        self._body_bytes, self._paused = 0, self.flow.read_paused
        self._later(self.body_window_s, self._judge_body)

    def _judge_body(self) -> None:
        enough = self._body_bytes >= self.min_body_bytes_s * self.body_window_s
        if enough or self._paused or self.flow.read_paused:
            self._open_window()
        else:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _headers_late(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def _later(self, seconds: float, call: Any) -> None:
        self._no_timer()
        self._timer = self.loop.call_later(seconds, call)

    def _no_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: HTTPStatus) -> None:
        if self.transport.is_closing():
            return
        self._no_timer()
        if self._is_owed_an_answer():
            if self.cycle:
                self.cycle.disconnected = True  # whatever the application still says is not sent
                self.cycle.message_event.set()
            self.transport.write(_reply(status))
        self.transport.close()

    def _is_owed_an_answer(self) -> bool:
        # Any other answer would be read as the rest of one that is under way, or as the next one's.
        if self.pipeline:
            return False
        if not self.cycle or self.cycle.response_complete:
            return self._in_headers
        return not self.cycle.response_started


class _RefusedError(Exception):
    """Stops the parser; the answer has been written."""


_SAYS: Final = {
    HTTPStatus.BAD_REQUEST: ("invalid_http", "This is not HTTP/1.1 as we read it."),
    HTTPStatus.REQUEST_TIMEOUT: ("request_timeout", "The body came too slowly; send it again."),
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        "headers_too_large",
        f"The request line and headers are longer than {MAX_HEADER_BYTES} bytes.",
    ),
}


def _reply(status: HTTPStatus) -> bytes:
    code, message = _SAYS[status]
    body = orjson.dumps({"error": {"code": code, "message": message, "details": None}})
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        f"{REQUEST_ID_HEADER}: {secrets.token_hex(8)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
