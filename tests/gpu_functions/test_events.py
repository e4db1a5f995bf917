import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import httpx
import pytest
from aiohttp import web

from gpu_functions.contract import (
    Canceled,
    Failed,
    Failure,
    FailureCode,
    Log,
    Preview,
    Progress,
    Succeeded,
)
from gpu_functions.events import EventSender
from gpu_functions.front_door import FrontDoor
from tests.doubles.front_door import WORKER_TOKEN, FrontDoorDouble, JobRecord, eventually

Sending = Callable[..., AbstractAsyncContextManager[EventSender]]


@pytest.fixture
def sending(front_door: FrontDoorDouble) -> Sending:
    @asynccontextmanager
    async def start(
        job: JobRecord, *, heartbeat_s: float = 5, give_up_after_s: float = 60
    ) -> AsyncGenerator[EventSender, None]:
        async with httpx.AsyncClient(base_url=front_door.url, timeout=2) as http:
            post = partial(
                FrontDoor(http, WORKER_TOKEN).send_events, job.ticket.job_id, job.ticket.event_token
            )
            sender = EventSender(post, heartbeat_s=heartbeat_s, give_up_after_s=give_up_after_s)
            async with sender:
                yield sender

    return start


def line(number: int) -> Log:
    return Log(level="info", message=f"line {number}")


def progress(value: float) -> Progress:
    return Progress(value=value, nodes_done=0, nodes_total=1)


async def test_transitions_arrive_once_and_in_order(
    front_door: FrontDoorDouble, sending: Sending
) -> None:
    job = front_door.submit({})
    async with sending(job) as sender:
        for number in range(250):
            sender.add(line(number))
        assert await sender.end(Succeeded())
    assert job.events == [*map(line, range(250)), Succeeded()]


async def test_a_lost_reply_is_repeated_and_nothing_is_written_twice(
    front_door: FrontDoorDouble, sending: Sending
) -> None:
    job = front_door.submit({})
    front_door.faults.lose_replies["events"] = 2
    async with sending(job) as sender:
        sender.add(line(1))
        sender.add(line(2))
        assert await sender.end(Canceled())
    assert job.events == [line(1), line(2), Canceled()]
    assert front_door.faults.requests["events"] >= 3


async def test_a_gap_is_filled_from_the_number_the_front_door_expects(
    front_door: FrontDoorDouble, sending: Sending
) -> None:
    job = front_door.submit({})
    async with sending(job) as sender:
        for number in range(5):
            sender.add(line(number))
        await eventually(lambda: len(job.events) == 5)
        front_door.faults.forget_events_once = 2
        assert await sender.end(Succeeded())
    assert job.events == [*map(line, range(5)), Succeeded()]


async def test_an_outage_of_ten_leases_costs_nothing(
    front_door: FrontDoorDouble, sending: Sending
) -> None:
    job = front_door.submit({})
    lease_s = 0.15
    front_door.faults.unavailable_until = time.monotonic() + 10 * lease_s
    async with sending(job, heartbeat_s=lease_s / 3) as sender:
        sender.add(line(1))
        await asyncio.sleep(0.2)
        sender.add(line(2))
        assert await sender.end(Succeeded())
    assert job.events == [line(1), line(2), Succeeded()]


async def test_the_front_door_is_asked_to_wait_by_retry_after(
    front_door: FrontDoorDouble, sending: Sending
) -> None:
    job = front_door.submit({})
    front_door.faults.refuse["events"] = web.Response(status=503, headers={"Retry-After": "1"})
    async with sending(job) as sender:
        sender.add(line(1))
        await eventually(lambda: front_door.faults.requests["events"] == 1)
        del front_door.faults.refuse["events"]
        started = time.monotonic()
        assert await sender.end(Succeeded())
    assert time.monotonic() - started > 0.7


async def test_a_heartbeat_goes_out_when_there_is_nothing_to_say(
    front_door: FrontDoorDouble, sending: Sending
) -> None:
    job = front_door.submit({})
    started = time.monotonic()
    async with sending(job, heartbeat_s=0.05):
        await eventually(lambda: len(job.batch_times) == 5)
    assert time.monotonic() - started > 5 * 0.04
    assert not job.events


async def test_progress_and_previews_are_coalesced_to_the_newest(
    front_door: FrontDoorDouble, sending: Sending
) -> None:
    job = front_door.submit({})
    async with sending(job) as sender:
        started = time.monotonic()
        for number in range(100):
            sender.progress(partial(progress, number / 100))
            sender.preview(
                Preview(node_id=str(number), content_type="image/png", data_base64="AAAA")
            )
            await asyncio.sleep(0.012)
        sender.add(line(1))
        await sender.end(Succeeded())
        allowed = (time.monotonic() - started) / 0.5 + 1
    assert 2 <= len(job.progress) <= allowed
    assert 2 <= len(job.previews) <= allowed
    values = [snapshot.value for snapshot in job.progress]
    assert values == sorted(values)


async def test_a_cancel_request_arrives_with_the_next_reply(
    front_door: FrontDoorDouble, sending: Sending
) -> None:
    job = front_door.submit({})
    job.cancel = True
    async with sending(job, heartbeat_s=0.02) as sender:
        async with asyncio.timeout(1):
            await sender.cancel_requested.wait()
        assert not sender.stopped.is_set()


async def test_a_stale_epoch_stops_the_run_and_nothing_more_is_said(
    front_door: FrontDoorDouble, sending: Sending
) -> None:
    job = front_door.submit({})
    job.epoch = 2
    async with sending(job, heartbeat_s=0.02) as sender:
        async with asyncio.timeout(1):
            await sender.stopped.wait()
        batches = len(job.batch_times)
        assert not await sender.end(Succeeded())
        await asyncio.sleep(0.1)
    assert len(job.batch_times) == batches
    assert not job.events


async def test_a_job_that_has_ended_elsewhere_stops_the_run(
    front_door: FrontDoorDouble, sending: Sending
) -> None:
    job = front_door.submit({})
    job.ended.set()
    async with sending(job) as sender:
        sender.add(line(1))
        async with asyncio.timeout(1):
            await sender.stopped.wait()
    assert not job.events


async def test_a_dead_token_stops_the_run(front_door: FrontDoorDouble, sending: Sending) -> None:
    job = front_door.submit({})
    front_door.faults.refuse["events"] = web.Response(status=401)
    async with sending(job) as sender:
        assert not await sender.end(Succeeded())


async def test_an_outage_longer_than_the_token_ends_the_run(
    front_door: FrontDoorDouble, sending: Sending
) -> None:
    job = front_door.submit({})
    front_door.faults.unavailable_until = time.monotonic() + 60
    async with sending(job, give_up_after_s=0.3) as sender:
        assert not await sender.end(Succeeded())
        assert sender.stopped.is_set()


async def test_the_last_word_of_a_worker_that_is_taken_away_is_not_waited_for_for_ever(
    front_door: FrontDoorDouble, sending: Sending
) -> None:
    job = front_door.submit({})
    front_door.faults.unavailable_until = time.monotonic() + 60
    async with sending(job) as sender:
        started = time.monotonic()
        assert not await sender.end(Succeeded(), within_s=0.2)
    assert time.monotonic() - started < 1


async def test_batches_stay_below_the_size_the_front_door_reads(
    front_door: FrontDoorDouble, sending: Sending
) -> None:
    job = front_door.submit({})
    sizes: list[int] = []

    async def remember(request: httpx.Request) -> None:
        sizes.append(len(request.content))

    failure = Failure(code=FailureCode.NODE_ERROR, message="x" * 16_000, traceback="y" * 16_000)
    async with httpx.AsyncClient(
        base_url=front_door.url, event_hooks={"request": [remember]}
    ) as http:
        post = partial(
            FrontDoor(http, WORKER_TOKEN).send_events, job.ticket.job_id, job.ticket.event_token
        )
        async with EventSender(post, heartbeat_s=5, give_up_after_s=5) as sender:
            for _ in range(100):
                sender.add(Log(level="info", message="z" * 4_096))
            sender.preview(
                Preview(node_id="1", content_type="image/png", data_base64="A" * 349_000)
            )
            await sender.end(Failed(failure=failure))
    assert max(sizes) < 768 * 1024
    assert len(job.events) == 101
