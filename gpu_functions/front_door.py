"""The internal API of the front door, as an executor calls it.

One call is one HTTP exchange here; `patiently` repeats one for as long as a caller can wait.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import httpx
from pydantic import ValidationError
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_delay,
    stop_never,
    wait_random_exponential,
)

from gpu_functions.contract import (
    ClaimRequest,
    EnvironmentRegistration,
    EventBatch,
    EventReply,
    Message,
    OutputGrant,
    OutputRegistration,
    Ticket,
)
from gpu_functions.log import request_id
from gpu_functions.telemetry import NoTracing, Tracing

log = logging.getLogger(__name__)

_LONGEST_PAUSE_S = 5.0
"""A heartbeat is due every few seconds: after an outage we are back well within a lease."""

_LONGEST_ASKED_PAUSE_S = 15.0

Result = TypeVar("Result")
Reply = TypeVar("Reply", bound=Message)


class UnavailableError(Exception):
    """The front door did not answer, or asked to come back later: nothing is known or lost."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


class StorageFullError(UnavailableError):
    """507: there is no room for an output; waiting long does not help."""


class StaleEpochError(Exception):
    """This run no longer counts: another one has taken the job, or its token is dead."""


class EventGapError(Exception):
    """The front door has seen fewer transitions than we thought."""

    def __init__(self, expected: int) -> None:
        super().__init__(f"the front door expects client_seq {expected}")
        self.expected = expected


class RefusedError(Exception):
    """A 4xx that repeating will not change."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class FrontDoor:
    """Typed calls. `token` is a worker token (local) or a claim token (Modal)."""

    http: httpx.AsyncClient
    token: str
    tracing: Tracing = field(default_factory=NoTracing)

    async def claim(self, request: ClaimRequest) -> Ticket | None:
        """Ask for work; None when there is none or it is not ours to take (204, 409)."""
        reply = await self._call("POST", "/internal/claims", self.token, request, quiet=(409,))
        return _read(Ticket, reply) if reply.status_code == 200 else None

    async def register_environment(
        self, name: str, digest: str, registration: EnvironmentRegistration
    ) -> None:
        """Say what this worker can run."""
        await self._call("PUT", f"/internal/environments/{name}/{digest}", self.token, registration)

    async def register_output(
        self, job_id: UUID, event_token: str, registration: OutputRegistration
    ) -> OutputGrant:
        """Ask for a place to put one file."""
        reply = await self._call(
            "POST", f"/internal/jobs/{job_id}/outputs", event_token, registration
        )
        return _read(OutputGrant, reply)

    async def send_events(self, job_id: UUID, event_token: str, batch: EventBatch) -> EventReply:
        """Deliver a batch; an empty one is a heartbeat. Raises EventGapError, StaleEpochError."""
        reply = await self._call("POST", f"/internal/jobs/{job_id}/events", event_token, batch)
        return _read(EventReply, reply)

    async def _call(
        self, method: str, path: str, token: str, body: Message, *, quiet: tuple[int, ...] = ()
    ) -> httpx.Response:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            **self._context(),
        }
        try:
            reply = await self.http.request(
                method, path, content=body.model_dump_json(), headers=headers
            )
        except httpx.TransportError as error:
            raise UnavailableError(f"{type(error).__name__}: {error}") from error
        if reply.status_code >= 400 and reply.status_code not in quiet:
            raise refusal(reply)
        return reply

    def _context(self) -> dict[str, str]:
        """What lets the front door's lines and spans of this call be found from ours."""
        known = request_id()
        return {**({"X-Request-Id": known} if known else {}), **self.tracing.headers()}


def _read(model: type[Reply], reply: httpx.Response) -> Reply:
    try:
        return model.model_validate_json(reply.content)
    except ValidationError as error:
        # Something between us answered in the front door's place: that is an outage too.
        raise UnavailableError(f"HTTP {reply.status_code} with an unreadable body") from error


def refusal(reply: httpx.Response) -> Exception:
    """Read an error reply; never trusts that its body is the envelope it should be."""
    status = reply.status_code
    code, message, details = _envelope(reply)
    if status == 507:
        return StorageFullError(message)
    if status >= 500 or status in (408, 425, 429):
        return UnavailableError(f"HTTP {status} {code}", _retry_after_s(reply))
    match code, details.get("expected"):
        case "event_gap", int(expected):
            return EventGapError(expected)
        case "stale_epoch", _:
            return StaleEpochError(message)
        case _:
            return RefusedError(status, code, message)


def _envelope(reply: httpx.Response) -> tuple[str, str, dict[str, Any]]:
    try:
        error = reply.json()["error"]
        return str(error["code"]), str(error["message"]), dict(error.get("details") or {})
    except (ValueError, TypeError, KeyError):
        return "unreadable", reply.text[:200], {}


def _retry_after_s(reply: httpx.Response) -> float | None:
    value = reply.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else None


_backoff = wait_random_exponential(multiplier=0.1, max=_LONGEST_PAUSE_S)


def pause_s(state: RetryCallState) -> float:
    """Jittered back-off; at least what Retry-After asked for, within a lease."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_s if isinstance(error, UnavailableError) else None
    return max(_backoff(state), min(asked or 0.0, _LONGEST_ASKED_PAUSE_S))


def _note_absence(state: RetryCallState) -> None:
    if state.attempt_number in (1, 5) or state.attempt_number % 25 == 0:
        error = state.outcome.exception() if state.outcome else None
        log.warning("the front door is away (attempt %d): %s", state.attempt_number, error)


async def patiently(
    call: Callable[[], Awaitable[Result]], *, give_up_after_s: float | None
) -> Result:
    """Repeat `call` while the front door is unavailable; None: for ever.

    Raises UnavailableError when the time is up, and whatever else `call` raises at once.
    """
    retrying = AsyncRetrying(
        retry=retry_if_exception_type(UnavailableError),
        wait=pause_s,
        stop=stop_never if give_up_after_s is None else stop_after_delay(give_up_after_s),
        before_sleep=_note_absence,
        reraise=True,
    )
    return await retrying(call)
