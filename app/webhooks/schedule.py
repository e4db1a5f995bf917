"""What follows from an answer: delivered, again later, or the end (Standard Webhooks, "Retries"). Pure."""

from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from app.safe_http import Reply
from app.webhooks.models import TEST_EVENT, DeliveryStatus, DisabledReason, Event

DELAYS_S: Final = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Before each attempt, from the end of the one before it: three days and three hours together."""
JITTER: Final = 0.1
"""Of a delay, up or down: receivers that came back are not overrun."""
MAX_RETRY_AFTER_S: Final = 86_400.0
_GONE: Final = 410
_WAITS: Final = frozenset({429, 502, 503, 504})
"""Answers whose Retry-After counts."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery."""

    status: DeliveryStatus
    delay_s: float = 0.0
    """Until the next attempt, where there is one."""
    disable: DisabledReason | None = None
    """Why its endpoint is to be disabled. `failing` counts only where nothing was delivered since."""


def judge(
    reply: Reply | None, *, event: Event, tries: int, now: datetime, jitter: float = 0.0
) -> Verdict:
    """The verdict on an attempt.

    Args:
        reply: None if nothing was answered
        event: a test is tried once
        tries: attempts so far, this one included
        now: to read a Retry-After that is a date
        jitter: from -1 to 1
    """
    if reply is not None and reply.status // 100 == 2:
        return Verdict("delivered")
    if event == TEST_EVENT:
        return Verdict("exhausted")
    if reply is not None and reply.status == _GONE:
        return Verdict("dropped", disable="gone")
    if tries >= len(DELAYS_S):
        return Verdict("exhausted", disable="failing")
    delay_s = DELAYS_S[tries] * (1 + JITTER * jitter)
    return Verdict("pending", delay_s=max(delay_s, _asked_for_s(reply, now)))


def _asked_for_s(reply: Reply | None, now: datetime) -> float:
    if reply is None or reply.status not in _WAITS:
        return 0.0
    text = reply.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER_S)
    try:
        wait_s = (parsedate_to_datetime(text) - now).total_seconds()
    except (ValueError, TypeError):  # no date, or one without a zone
        return 0.0
    return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)
