"""What follows from an answer, by a clock that is given."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.safe_http import Reply
from app.webhooks.models import Event
from app.webhooks.schedule import DELAYS_S, Verdict, judge

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def answered(status: int, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, httpx.Headers(named), b"", is_cut=False)


def verdict(
    reply: Reply | None, *, tries: int = 1, event: Event = "job.failed", jitter: float = 0.0
) -> Verdict:
    return judge(reply, event=event, tries=tries, now=NOW, jitter=jitter)


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    """0, 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h, each after the attempt before."""
    hours = [seconds / 3_600 for seconds in DELAYS_S[3:]]
    assert DELAYS_S[:3] == (0, 5, 300)
    assert hours == [0.5, 2, 5, 10, 14, 20, 24]
    at, clock = [NOW], NOW
    for tries in range(1, len(DELAYS_S)):
        outcome = verdict(None, tries=tries)
        assert outcome.status == "pending"
        clock += timedelta(seconds=outcome.delay_s)
        at.append(clock)
    assert len(at) == 10
    assert at[-1] - at[0] == timedelta(seconds=sum(DELAYS_S))
    assert verdict(None, tries=10) == Verdict("exhausted", disable="failing")


@given(tries=st.integers(1, 9), jitter=st.floats(-1, 1))
def test_jitter_moves_a_delay_by_a_tenth_at_most(tries: int, jitter: float) -> None:
    delay_s = verdict(None, tries=tries, jitter=jitter).delay_s
    assert 0.899 * DELAYS_S[tries] <= delay_s <= 1.101 * DELAYS_S[tries]


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_only_2xx_is_delivered(status: int) -> None:
    assert verdict(answered(status)) == Verdict("delivered")


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 422, 500, 501])
def test_everything_else_is_tried_again_and_its_retry_after_means_nothing(status: int) -> None:
    assert verdict(answered(status, retry_after="100")) == Verdict("pending", delay_s=5)


def test_410_drops_and_disables() -> None:
    assert verdict(answered(410)) == Verdict("dropped", disable="gone")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_retry_after_is_honoured_where_it_is_longer(status: int) -> None:
    assert verdict(answered(status, retry_after="100")).delay_s == 100
    assert verdict(answered(status, retry_after="100"), tries=3).delay_s == 1_800
    at = format_datetime(NOW + timedelta(seconds=90), usegmt=True)
    assert verdict(answered(status, retry_after=at)).delay_s == 90
    ages = "9" * 40
    assert verdict(answered(status, retry_after=ages)).delay_s == 86_400


@pytest.mark.parametrize("text", ["", "soon", "-5", "1.5", "Tue, 24 Nov 2026 12:00:00", "\u0665"])
def test_a_retry_after_that_says_nothing_is_none(text: str) -> None:
    reply = Reply(503, httpx.Headers([(b"retry-after", text.encode())]), b"", is_cut=False)
    assert verdict(reply).delay_s == 5


def test_a_test_is_tried_once_and_disables_nothing() -> None:
    for reply in (None, answered(500), answered(410)):
        assert verdict(reply, event="webhook.test") == Verdict("exhausted")
    assert verdict(answered(200), event="webhook.test") == Verdict("delivered")
