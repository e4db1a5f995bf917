"""One stream for a whole workspace: every job's events, resumable, and nobody else's."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Thread

import httpx
import pytest

from app.config import Settings
from app.jobs.workspace_stream import make_cursor, read_cursor
from tests.app.conftest import House, opened_house
from tests.app.front_door import Caller
from tests.app.streams import Read, Reader

PROGRESS = {"value": 0.5, "nodes_done": 1, "nodes_total": 2}
PREVIEW = {"node_id": "1", "content_type": "image/jpeg", "data_base64": "AAAA"}


@contextmanager
def watching(caller: Caller, query: str = "", **headers: str) -> Generator[Reader]:
    """Read the workspace's stream; it has no end, so the reader is left behind."""
    reader = Reader()
    auth = {"Authorization": f"Bearer {caller.key}", **headers}
    url = f"{caller.url}/api/v2/events{query}"
    Thread(target=reader.run_until_cut, args=(url, auth), daemon=True).start()
    reader.wait_until(lambda frames: frames[:1] and frames[0].event == "ready")
    yield reader


def durable(frames: list[Read]) -> list[tuple[str, int]]:
    """What came of the event log."""
    return [(f.data["job_id"], f.data["seq"]) for f in frames if f.event in DURABLE]


DURABLE = {"status", "output", "log"}


def test_every_job_of_the_workspace_is_told(house: House) -> None:
    with watching(house.alice) as reader:
        first, second = house.alice.submit()["id"], house.alice.submit()["id"]
        house.executor.claim()
        house.executor.send(progress=PROGRESS, preview=PREVIEW)
        reader.wait_until(lambda frames: any(f.event == "progress" for f in frames))
        house.executor.put_output()
        house.executor.succeed()
        reader.wait_until(lambda frames: (first, 4) in durable(frames))
    told = durable(reader.frames)
    assert [seq for job, seq in told if job == first] == [1, 2, 3, 4]
    assert [seq for job, seq in told if job == second] == [1]
    [progress] = [f for f in reader.frames if f.event == "progress"]
    assert (progress.data["job_id"], progress.data["value"], progress.id) == (first, 0.5, None)
    [output] = [f for f in reader.frames if f.event == "output"]
    assert httpx.get(output.data["url"]).content == b"png", "with a fresh URL"
    assert "storage_key" not in output.data
    assert not any(f.event == "preview" for f in reader.frames), "only when asked for"


def test_nothing_is_told_of_a_job_after_its_end(house: House) -> None:
    with watching(house.alice, "?previews=true") as reader:
        job = house.alice.submit()["id"]
        house.executor.claim()
        for value in range(5):
            house.executor.send(progress={**PROGRESS, "value": value / 10}, preview=PREVIEW)
        house.executor.succeed()
        reader.wait_until(lambda frames: (job, 3) in durable(frames))
        time.sleep(0.4)
    assert reader.frames[-1].data["status"] == "succeeded"


def test_previews_come_when_asked_for(house: House) -> None:
    with watching(house.alice, "?previews=true") as reader:
        house.alice.submit()
        house.executor.claim()
        house.executor.send(preview=PREVIEW)
        reader.wait_until(lambda frames: any(f.event == "preview" for f in frames))


def test_a_resumed_stream_has_no_gap(house: House) -> None:
    with watching(house.alice) as reader:
        first = house.alice.submit()["id"]
        reader.wait_until(lambda frames: (first, 1) in durable(frames))
        last_id = reader.frames[-1].id
    second = house.alice.submit()["id"]
    house.alice.http.post(f"/jobs/{first}/cancel")
    assert last_id
    for query, headers in (("", {"Last-Event-ID": last_id}), (f"?cursor={last_id}", {})):
        with watching(house.alice, query, **headers) as again:
            again.wait_until(lambda frames: {(first, 2), (second, 1)} <= set(durable(frames)))
        assert len(durable(again.frames)) == len(set(durable(again.frames)))


def test_a_long_absence_is_made_up_page_by_page(house: House) -> None:
    before = make_cursor(datetime.now(UTC) - timedelta(seconds=1))
    job = house.alice.submit()["id"]
    house.executor.claim()
    line = {"type": "log", "level": "info", "message": "x"}
    for _ in range(11):
        house.executor.send(*[line] * 100)
    with watching(house.alice, f"?cursor={before}") as reader:
        reader.wait_until(lambda frames: (job, 1_102) in durable(frames))
    assert [seq for _, seq in durable(reader.frames)] == list(range(1, 1_103))


def test_another_workspaces_cursor_shows_only_ones_own(house: House) -> None:
    stranger = house.caller("stranger")
    house.alice.submit()
    before = make_cursor(datetime.now(UTC) - timedelta(hours=1))
    with watching(stranger, f"?cursor={before}") as reader:
        own = stranger.submit()["id"]
        reader.wait_until(lambda frames: durable(frames) == [(own, 1)])
        house.alice.submit()
        time.sleep(0.5)
    assert durable(reader.frames) == [(own, 1)]


def test_a_stream_without_redis_is_slower_and_as_complete(settings: Settings) -> None:
    without = settings.model_copy(update={"redis_url": ""})
    with opened_house(without) as house, opened_house(without) as other:
        elsewhere = Caller(other.url, house.alice.key, house.alice.workspace_id)
        with watching(elsewhere) as reader:
            job = house.alice.submit()["id"]
            reader.wait_until(lambda frames: (job, 1) in durable(frames))


def test_a_stream_on_another_front_door_hears_of_everything(
    house: House, settings: Settings
) -> None:
    with opened_house(settings) as other:
        elsewhere = Caller(other.url, house.alice.key, house.alice.workspace_id)
        with watching(elsewhere) as reader:
            job = house.alice.submit()["id"]
            house.executor.claim()
            house.executor.send(progress=PROGRESS)
            reader.wait_until(lambda frames: any(f.event == "progress" for f in frames))
            house.executor.succeed()
            reader.wait_until(lambda frames: (job, 3) in durable(frames))


@pytest.mark.parametrize("cursor", ["x", "AAAA", "!!!!", "A" * 400, "_" * 11, "%00"])
def test_a_cursor_that_is_not_ours_is_refused(house: House, cursor: str) -> None:
    reply = house.alice.http.get(f"/events?cursor={cursor}")
    assert (reply.status_code, reply.json()["error"]["code"]) == (400, "invalid_cursor")


def test_a_cursor_keeps_its_time_to_the_microsecond() -> None:
    at = datetime(2026, 11, 24, 18, 30, 0, 123_456, tzinfo=UTC)
    assert read_cursor(make_cursor(at)) == at
