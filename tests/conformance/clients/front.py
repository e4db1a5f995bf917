"""A reverse proxy that keeps a record, may strip a prefix, and may answer in our place."""

from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tests.conformance.clients.authority import Identity
from tests.conformance.clients.served import served

_NOT_PASSED_ON = frozenset({b"connection", b"transfer-encoding", b"date", b"server"})


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request as it arrived, and what it was answered."""

    method: str
    path: str
    """Undecoded, with its query."""
    headers: dict[str, str]
    status: int
    arrived: datetime

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status}"


@dataclass(slots=True)
class Front:
    """Stands before `target` as nginx would: the Host of the caller is passed on."""

    target: str
    url: str = ""
    prefix: str = ""
    """Stripped from every path; what lies outside of it is 404."""
    canned: dict[tuple[str, str], list[Response]] = field(
        default_factory=dict[tuple[str, str], list[Response]]
    )
    """Answers given first, by method and path."""
    exchanges: list[Exchange] = field(default_factory=list[Exchange])

    def seen(self, method: str, *path: str) -> list[Exchange]:
        """The requests of that method to that path or any."""
        return [e for e in self.exchanges if e.method == method and e.path in (path or [e.path])]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        request, arrived = Request(scope, receive), datetime.now(UTC)
        path = scope["raw_path"].decode()
        if scope["query_string"]:
            path += "?" + scope["query_string"].decode()
        answers = self.canned.get((request.method, path))
        if answers:
            response: Response = answers.pop(0)
        elif not path.startswith(self.prefix + "/"):
            response = Response(f"outside of {self.prefix}", 404)
        else:
            response = await self._passed_on(request, path.removeprefix(self.prefix))
        self.exchanges.append(
            Exchange(request.method, path, dict(request.headers), response.status_code, arrived)
        )
        await response(scope, receive, send)

    async def _passed_on(self, request: Request, path: str) -> Response:
        client = httpx.AsyncClient(timeout=60, trust_env=False)
        has_body = {"content-length", "transfer-encoding"} & set(request.headers)
        sent = client.build_request(
            request.method,
            self.target + path,
            headers=[pair for pair in request.headers.raw if pair[0] not in _NOT_PASSED_ON],
            content=request.stream() if has_body else None,
        )
        received = await client.send(sent, stream=True)

        async def body() -> AsyncGenerator[bytes]:
            try:
                async for chunk in received.aiter_raw():
                    yield chunk
            finally:
                await received.aclose()
                await client.aclose()

        response = StreamingResponse(body(), received.status_code)
        response.raw_headers = [
            (name.lower(), value)
            for name, value in received.headers.raw
            if name.lower() not in _NOT_PASSED_ON
        ]
        return response


@contextmanager
def fronting(
    target: str = "", *, prefix: str = "", identity: Identity | None = None
) -> Generator[Front]:
    """A front on a port of its own; its target may be set later."""
    front = Front(target, prefix=prefix)
    with served(front, identity) as port:
        front.url = f"{'https' if identity else 'http'}://127.0.0.1:{port}{prefix}"
        yield front
