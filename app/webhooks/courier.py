"""Delivers webhooks: takes what is due, signs it, sends it, writes down what came of it.

Every front door has one. It sleeps until it is woken: by the end of a job that this process
committed, by a retry that it planned itself, by maintenance for what others left behind.
"""

import asyncio
import contextlib
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidTag

from app.errors import AppError
from app.safe_http import Reply, SafeHttp, UnreachableError
from app.webhooks.models import (
    KEPT_REPLY_CHARS,
    MAX_REPLY_BYTES,
    TEST_EVENT,
    Attempt,
    DeliveryStatus,
    Due,
    JsonObject,
)
from app.webhooks.payload import payload
from app.webhooks.repository.outbox import OutboxRepository, ids_of
from app.webhooks.schedule import Verdict, judge
from app.webhooks.signing import Signing

log = logging.getLogger(__name__)

AT_ONCE: Final = 32
"""Attempts of one process."""
SOON_S: Final = 60.0
"""A retry this near is waited for; maintenance finds later ones."""
AFTER_OUTAGE_S: Final = 2.0
LAST_WORDS_S: Final = 1.0
UNREACHABLE: Final = "unreachable"
UNSIGNED: Final = "unsigned"
INTERNAL: Final = "internal"
_DROPPED: Final = Verdict("dropped")
_UNSAFE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and newline, and what turns the direction of text."""

Render = Callable[[UUID, UUID], Awaitable[JsonObject | None]]
"""A job of a workspace as receivers see it; None if it is gone."""
Told = Callable[[DeliveryStatus, float], None]
"""Hears what became of a delivery by an attempt, and how many seconds that took."""


@dataclass(slots=True)
class Courier:
    """Makes attempts. Any number of them work on one database; a row is taken by one."""

    outbox: OutboxRepository
    http: SafeHttp
    signing: Signing
    render: Render
    timeout_s: float
    told: Told = lambda _status, _seconds: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    jitter: Callable[[], float] = lambda: random.SystemRandom().uniform(-1, 1)
    at_once: int = AT_ONCE
    _awake: asyncio.Event = field(default_factory=asyncio.Event)
    _underway: dict["asyncio.Task[None]", Due] = field(
        default_factory=dict["asyncio.Task[None]", Due]
    )

    def wake(self) -> None:
        """Something may be due."""
        self._awake.set()

    async def run(self) -> None:
        """Until canceled; then attempts that are under way are left to others."""
        try:
            while True:
                await self._awake.wait()
                self._awake.clear()
                try:
                    await self._take()
                except AppError as error:
                    log.warning("webhooks wait: %s", error)
                    self._wake_in(AFTER_OUTAGE_S)
        finally:
            await self._leave()

    async def _take(self) -> None:
        while (room := self.at_once - len(self._underway)) > 0:
            taken = await self.outbox.claim(room)
            if not taken:
                return
            for due in taken:
                task = asyncio.create_task(self._deliver(due))
                self._underway[task] = due
                task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[None]") -> None:
        del self._underway[task]
        if task.cancelled():
            return
        if problem := task.exception():  # it is made again when its lease has passed
            log.warning("a webhook attempt was lost: %s", problem)
        self.wake()  # there is room for another

    async def _leave(self) -> None:
        held = list(self._underway.values())
        for task in self._underway:
            task.cancel()
        if held:
            with contextlib.suppress(AppError, TimeoutError):
                async with asyncio.timeout(LAST_WORDS_S):
                    await self.outbox.give_back(held)

    async def _deliver(self, due: Due) -> None:
        began, at = time.monotonic(), self.clock()
        reply: Reply | None = None
        try:
            body = await self._body(due) if due.is_wanted else None
            if body is None:
                await self._settle(due, _DROPPED, None, began)
                return
            reply, error = await self._send(due, body, at)
        except AppError:
            raise
        except Exception:  # a bug of ours must not make the same attempt for ever
            log.exception("a webhook attempt broke", extra=ids_of(due))
            error = INTERNAL
        verdict = judge(
            reply, event=due.event, tries=due.tries, now=self.clock(), jitter=self.jitter()
        )
        attempt = Attempt(
            at=at,
            status_code=reply.status if reply else None,
            duration_ms=round((time.monotonic() - began) * 1_000),
            error=error,
            reply=_kept(reply.body) if reply else None,
        )
        await self._settle(due, verdict, attempt, began)

    async def _body(self, due: Due) -> str | None:
        """The payload of every attempt, kept before it is first sent; None if its job is gone."""
        if due.payload is not None:
            return due.payload
        if due.event == TEST_EVENT or due.job_id is None:
            data: JsonObject | None = {"endpoint_id": due.endpoint_id, "message": "It works."}
        else:
            data = await self.render(due.workspace_id, due.job_id)
        if data is None:
            return None
        return await self.outbox.keep(due, payload(due.event, due.created_at, data))

    async def _send(self, due: Due, body: str, at: datetime) -> tuple[Reply | None, str | None]:
        secrets = [due.secret, due.old_secret] if due.old_secret else [due.secret]
        try:
            signed = self.signing.headers(due.endpoint_id, secrets, due.id, at, body)
        except InvalidTag:
            log.error(  # noqa: TRY400 - the trace says nothing
                "a webhook secret cannot be read: COMFYBURST_SECRET has changed; rotate it",
                extra=ids_of(due),
            )
            return None, UNSIGNED
        try:
            reply = await self.http.exchange(
                "POST",
                due.url,
                headers={**signed, "Content-Type": "application/json"},
                content=body.encode(),
                timeout_s=self.timeout_s,
                max_bytes=MAX_REPLY_BYTES,
            )
        except UnreachableError:
            return None, UNREACHABLE
        return reply, None

    async def _settle(
        self, due: Due, verdict: Verdict, attempt: Attempt | None, began: float
    ) -> None:
        has_disabled = await self.outbox.settle(due, verdict, attempt)
        self.told(verdict.status, time.monotonic() - began)
        said = {**ids_of(due), "status": verdict.status, "tries": due.tries}
        if has_disabled:
            log.warning("webhook endpoint disabled", extra={**said, "reason": verdict.disable})
        else:
            log.info("webhook attempted", extra=said)
        if verdict.status == "pending" and verdict.delay_s <= SOON_S:
            self._wake_in(verdict.delay_s)

    def _wake_in(self, seconds: float) -> None:
        # A little later than due: by the clock of Postgres, not by ours.
        asyncio.get_running_loop().call_later(seconds + 0.05, self.wake)


def _kept(body: bytes) -> str:
    text = body[: 4 * KEPT_REPLY_CHARS].decode(errors="replace")
    return _UNSAFE.sub("", text)[:KEPT_REPLY_CHARS]
