"""What takes its time because the SDK's own clocks do: a 40 s job, and a stream that falls silent."""

import asyncio
import time
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import ThreadPoolExecutor

import pytest
from comfy_sdk import Comfy, Job
from starlette.responses import StreamingResponse

from tests.app.conftest import House
from tests.conformance.clients.front import Front
from tests.conformance.python.flavours import opened
from tests.conformance.python.graphs import poster
from tests.conformance.python.test_events import kinds
from tests.conformance.python.test_waiting import started, waited

pytestmark = [pytest.mark.bench, pytest.mark.timeout(180)]

STALL_S = 46.0


@pytest.fixture
def both(house: House, front: Front) -> Generator[tuple[Comfy, Comfy]]:
    """The sync and the async client."""
    key = house.alice.key
    with opened("sync", front.url, key) as sync, opened("async", front.url, key) as other:
        yield sync, other


def test_forty_seconds_take_two_requests(
    both: tuple[Comfy, Comfy], house: House, front: Front
) -> None:
    """v2.16: at the default hold of 20 s; one request for 7 s. The milliseconds are told."""
    with ThreadPoolExecutor(4) as pool, opened("sync", front.url, house.alice.key) as third:
        runs = [(both[0], 40.0, 2), (both[1], 40.0, 2), (third, 7.0, 1)]
        waiting = [
            pool.submit(waited, *started(comfy, house), front, seconds)
            for comfy, seconds, _ in runs
        ]
        for (_, seconds, expected), result in zip(runs, waiting, strict=True):
            milliseconds, requests = result.result(120)
            print(f"\n{seconds:g} s: {milliseconds:.1f} ms after its end, {requests} GET")  # noqa: T201
            assert requests == expected


def all_kinds(job: Job) -> list[str]:
    """Of its events, to the end."""
    return kinds(list(job.events()))


async def silent() -> AsyncGenerator[bytes]:
    """A stream behind a network that swallows everything after its first frame."""
    yield b'event: status\ndata: {"status":"running"}\n\n'
    await asyncio.sleep(STALL_S * 2)


def test_a_stream_that_falls_silent_is_given_up(
    both: tuple[Comfy, Comfy], house: House, front: Front
) -> None:
    """v2.20: after 45 s without a byte the SDK looks for itself; our comments come every 10 s."""
    jobs = [comfy.submit(poster()) for comfy in both]
    for job in jobs:
        house.executor.claim()
        house.executor.succeed()
        events = f"/api/v2/jobs/{job.id}/events"
        front.canned[("GET", events)] = [
            StreamingResponse(silent(), media_type="text/event-stream")
        ]
    since = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        seen = list(pool.map(all_kinds, jobs))
    assert seen == [["running", "succeeded"]] * 2
    assert time.monotonic() - since > 44
