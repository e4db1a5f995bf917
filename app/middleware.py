"""What every request passes: its id, the Host and Origin rules, and one log line.

Plain ASGI: Starlette's BaseHTTPMiddleware would buffer streams and copy contexts.
"""

import asyncio
import logging
import re
import secrets
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError, RestartingError, UnexpectedError, envelope
from app.logs import REQUEST_ID_HEADER, about, learnt, request_id

log = logging.getLogger("app.access")

_GIVEN_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::[0-9]{1,5})?", re.ASCII)
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
QUIET: Final = re.compile(r"/(healthz|readyz|metrics|internal/(claims|jobs/[^/]+/events))")
_UUID: Final = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_JOB: Final = re.compile(
    rf"/(?:api/v2|internal)/jobs/(?P<job_id>{_UUID})(?:/.*)?"
    rf"|/files/(?P<workspace_id>{_UUID})/(?P<output_of>{_UUID})/(?P<epoch>\d{{1,9}})/.*"
)


@dataclass(frozen=True, slots=True)
class Gate:
    """Checks Host (DNS rebinding) and Origin (a page that posts to us), then logs the request."""

    app: ASGIApp
    hosts: frozenset[str]
    origins: frozenset[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with about(**ids_in(scope["path"])):
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        token = request_id.set(given if _GIVEN_ID.fullmatch(given) else secrets.token_hex(8))
        started, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id.get()
            await send(message)

        try:
            refusal = self._refusal(scope, headers)
            if refusal is not None:
                await envelope(refusal)(scope, receive, send_with_id)
            else:
                await self.app(scope, receive, send_with_id)
        except asyncio.CancelledError:
            # uvicorn's own answer to what outlasts its patience would be a 500 in plain text.
            if not status:
                await envelope(RestartingError())(scope, receive, send_with_id)
            raise
        except Exception:
            log.exception("unexpected error in %s %s", scope["method"], scope["path"])
            if status:  # too late for an envelope: the connection is cut instead
                raise
            await envelope(UnexpectedError())(scope, receive, send_with_id)
        finally:
            self._log(scope, status, time.perf_counter() - started)
            request_id.reset(token)

    def _refusal(self, scope: Scope, headers: Headers) -> AppError | None:
        if _host_name(headers.getlist("host")) not in self.hosts:
            return AppError(
                400,
                "bad_host",
                "This host name is not ours. Add it to COMFYBURST_ALLOWED_HOSTS or set PUBLIC_URL.",
            )
        if scope["method"] not in _SAFE_METHODS and self._is_foreign(headers):
            return AppError(403, "foreign_origin", "Another website may not write here.")
        return None

    def _is_foreign(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is not None:
            same = origin.partition("://")[2] == headers.get("host")
            return not same and origin not in self.origins
        return headers.get("sec-fetch-site") == "cross-site"

    def _log(self, scope: Scope, status: int, seconds: float) -> None:
        level = logging.DEBUG if QUIET.fullmatch(scope["path"]) else logging.INFO
        state: dict[str, Any] = scope.get("state", {})
        if workspace := state.get("workspace_id"):
            learnt(workspace_id=str(workspace))
        log.log(
            level,
            "%s %s %d",
            scope["method"],
            scope["path"],
            status,
            extra={"status": status, "duration_ms": round(seconds * 1_000, 1)},
        )


def ids_in(path: str) -> dict[str, Any]:
    """Which job a request is about, where its address says so."""
    found = _JOB.fullmatch(path)
    if found is None:
        return {}
    if found["output_of"]:
        return {
            "job_id": found["output_of"],
            "epoch": int(found["epoch"]),
            "workspace_id": found["workspace_id"],
        }
    return {"job_id": found["job_id"]}


def _host_name(hosts: list[str]) -> str:
    # The whole header goes into the links of the answer, so all of it must be a host and a port.
    match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    return match[1].lower() if match else ""


def allowed_hosts(public_url: str | None, more: str) -> frozenset[str]:
    """Loopback names, PUBLIC_URL's, and the operator's."""
    names = {name.strip().lower() for name in more.split(",") if name.strip()}
    if public_url:
        names.add((urlsplit(public_url).hostname or "").lower())
    return _LOOPBACK | names
