"""Every request in numbers: how many, how long, how many bytes. Long polls and streams count apart.

Plain ASGI around everything else. Labels are route templates, never paths, so that no id, key or
file name becomes a label and the number of series is bounded.
"""

import time
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_HELD_SECONDS: Final = (0.1, 1, 5, 10, 20, 30, 60, 300, 900, 3_600)


@dataclass(slots=True)
class _Exchange:
    """What one request turned out to be."""

    status: int = 0
    received_bytes: int = 0
    sent_bytes: int = 0
    frames: int = 0
    is_stream: bool = False


class RequestMetrics:
    """The instruments, and the children that were used before: a look-up by labels costs 2 µs."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route", "status")
        self._seconds = Histogram(
            "comfyburst_http_request_seconds",
            "Requests that are answered at once.",
            labels,
            buckets=_SECONDS,
            registry=registry,
        )
        self._held_seconds = Histogram(
            "comfyburst_http_held_request_seconds",
            "Long polls and streams: held until something happens.",
            (*labels, "kind"),
            buckets=_HELD_SECONDS,
            registry=registry,
        )
        self._received = Counter(
            "comfyburst_http_received_bytes",
            "Bytes of request bodies.",
            ("route",),
            registry=registry,
        )
        self._sent = Counter(
            "comfyburst_http_sent_bytes", "Bytes of reply bodies.", ("route",), registry=registry
        )
        self._frames = Counter(
            "comfyburst_stream_frames",
            "Server-sent events that were sent, without keep-alives.",
            registry=registry,
        )
        self.in_flight = 0
        Gauge(
            "comfyburst_http_requests_in_flight",
            "Requests being served, long polls and streams included.",
            registry=registry,
        ).set_function(lambda: self.in_flight)
        self._children: dict[tuple[Any, ...], tuple[Histogram, Counter, Counter]] = {}

    def ended(self, scope: Scope, exchange: _Exchange, seconds: float) -> None:
        """Count a request."""
        route = getattr(scope.get("route"), "path", "none")
        kind = "stream" if exchange.is_stream else "poll" if _is_poll(scope) else ""
        key = (scope["method"], route, exchange.status // 100, kind)
        children = self._children.get(key) or self._make(key)
        children[0].observe(seconds)
        if exchange.received_bytes:
            children[1].inc(exchange.received_bytes)
        if exchange.sent_bytes:
            children[2].inc(exchange.sent_bytes)
        if exchange.frames:
            self._frames.inc(exchange.frames)

    def _make(self, key: tuple[str, str, int, str]) -> tuple[Histogram, Counter, Counter]:
        method, route, status_class, kind = key
        labels = (
            method if method in _METHODS else "other",
            route,
            f"{status_class}xx" if status_class else "none",
        )
        seconds = (
            self._held_seconds.labels(*labels, kind) if kind else self._seconds.labels(*labels)
        )
        made = (seconds, self._received.labels(route), self._sent.labels(route))
        if method in _METHODS:  # what callers make up is not remembered
            self._children[key] = made
        return made


@dataclass(frozen=True, slots=True)
class RequestMeter:
    """The middleware."""

    app: ASGIApp
    metrics: RequestMetrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and count it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange, metrics = _Exchange(), self.metrics

        async def counted_receive() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                exchange.received_bytes += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            if message["type"] == "http.response.body":
                body = message.get("body", b"")
                exchange.sent_bytes += len(body)
                if exchange.is_stream and body and not body.startswith(b":"):
                    exchange.frames += 1
            elif message["type"] == "http.response.start":
                exchange.status = message["status"]
                exchange.is_stream = _is_stream(message)
            await send(message)

        started = time.perf_counter()
        metrics.in_flight += 1
        try:
            await self.app(scope, counted_receive, counted_send)
        finally:
            metrics.in_flight -= 1
            metrics.ended(scope, exchange, time.perf_counter() - started)


def _is_stream(message: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in message.get("headers", ())
    )


def _is_poll(scope: Scope) -> bool:
    """Whether the caller asked us to hold it: `?wait=`, `Prefer: wait`."""
    if b"wait=" in scope["query_string"]:
        return True
    return any(name == b"prefer" and b"wait" in value for name, value in scope["headers"])
