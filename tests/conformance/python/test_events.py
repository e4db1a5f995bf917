"""Live events: the state first, every output before the end, and a client that always recovers."""

import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest
from comfy_sdk import Comfy, Event, Job, Log, OutputReady, Preview, Progress, StatusChange
from starlette.responses import Response

from tests.app.conftest import House
from tests.conformance.clients.front import Front
from tests.conformance.clients.relay import Relay, listening
from tests.conformance.python.flavours import Flavour, opened
from tests.conformance.python.graphs import poster

PROGRESS = {"value": 0.5, "nodes_done": 1, "nodes_total": 2}
PREVIEW = {"node_id": "1", "content_type": "image/jpeg", "data_base64": "AAAA"}


def kinds(events: list[Event]) -> list[str]:
    """What they are; statuses by name."""
    return [e.status if isinstance(e, StatusChange) else type(e).__name__ for e in events]


class Listener:
    """Reads the events of a job in a thread."""

    def __init__(self, pool: ThreadPoolExecutor, job: Job) -> None:
        self.events: list[Event] = []
        self.done = pool.submit(self._read, job)

    def _read(self, job: Job) -> None:
        for event in job.events():
            self.events.append(event)

    def wait_for(self, kind: str, within_s: float = 10.0) -> None:
        """Until one of that kind has come."""
        until = time.monotonic() + within_s
        while kind not in kinds(self.events):
            assert time.monotonic() < until, kinds(self.events)
            time.sleep(0.005)

    def all(self) -> list[Event]:
        """To the end of the stream."""
        self.done.result(30)
        return self.events


@contextmanager
def cutting(house: House) -> Generator[tuple[Relay, str]]:
    """A relay before the front door that cuts one connection when told where, and its address."""
    relay = Relay(urlsplit(house.url).port or 0)
    with listening(relay) as port:
        yield relay, f"http://127.0.0.1:{port}"


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    """Threads that end with the test."""
    return ThreadPoolExecutor(2)


def test_a_stream_tells_of_a_job_as_it_goes(
    comfy: Comfy, house: House, pool: ThreadPoolExecutor
) -> None:
    """v2.18: the state at once, then what happens, outputs before the end."""
    job = comfy.submit(poster())
    listener = Listener(pool, job)
    listener.wait_for("queued")
    house.executor.claim()
    house.executor.send(progress=PROGRESS, preview=PREVIEW)
    listener.wait_for("Preview")
    output_id = house.executor.put_output(b"png")
    listener.wait_for("OutputReady")
    house.executor.succeed()
    events = listener.all()
    assert kinds(events) == ["queued", "running", "Progress", "Preview", "OutputReady", "succeeded"]
    [ready] = [e for e in events if isinstance(e, OutputReady)]
    assert (ready.output.id, ready.output.to_bytes()) == (output_id, b"png")


def test_the_state_comes_within_a_second(comfy: Comfy, pool: ThreadPoolExecutor) -> None:
    """v2.18: not with the first change."""
    job = comfy.submit(poster())
    started = time.monotonic()
    assert kinds([next(iter(job.events()))]) == ["queued"]
    print(f"\nsnapshot after {(time.monotonic() - started) * 1_000:.0f} ms")  # noqa: T201
    assert time.monotonic() - started < 5.0, "a snapshot that waits for news would come after 10 s"
    job.cancel()


def test_who_comes_after_the_end_hears_of_every_output(comfy: Comfy, house: House) -> None:
    """v2.18: outputs, then the end."""
    job = comfy.submit(poster())
    house.executor.claim()
    ids = [house.executor.put_output(name=f"{i}.png") for i in range(3)]
    house.executor.succeed()
    events = list(job.events())
    assert kinds(events) == ["OutputReady"] * 3 + ["succeeded"]
    assert [e.output.id for e in events if isinstance(e, OutputReady)] == ids


def test_line_ends_of_other_scripts_survive(
    comfy: Comfy, house: House, pool: ThreadPoolExecutor
) -> None:
    """v2.19: httpx would cut a line at any of them, were they sent as they are."""
    text = "a\u2028b\u2029c\u0085d\x0be\x0cf\x1cg 🏔️ é"
    job = comfy.submit(poster(text))
    listener = Listener(pool, job)
    house.executor.claim()
    listener.wait_for("running")
    house.executor.send({"type": "log", "level": "info", "message": text})
    house.executor.send(progress={**PROGRESS, "message": text, "current_node": text})
    listener.wait_for("Progress")
    house.executor.succeed()
    events = listener.all()
    [log] = [e for e in events if isinstance(e, Log)]
    [progress] = [e for e in events if isinstance(e, Progress)]
    for seen in (log.message, progress.message):
        assert seen is not None
        assert {"\u2028", "\u2029", "\u0085", "🏔"} <= set(seen), seen
    assert job.get_workflow().graph["1"]["inputs"]["prompt"] == text


@pytest.mark.parametrize("cut_after", [b"event: stat", b'"runn', b"\r\n\r\n"])
def test_a_stream_cut_in_the_middle_of_a_frame_goes_on(
    flavour: Flavour, house: House, pool: ThreadPoolExecutor, cut_after: bytes
) -> None:
    """v2.20: one look at the job by the link that else waits, one new stream, nothing lost."""
    with cutting(house) as (relay, url), opened(flavour, url, house.alice.key) as comfy:
        job = comfy.submit(poster())
        relay.cut_after = cut_after
        listener = Listener(pool, job)
        house.executor.claim()
        listener.wait_for("running")
        house.executor.put_output()
        house.executor.succeed()
        events = listener.all()
    assert relay.cuts == 1
    assert kinds(events)[-2:] == ["OutputReady", "succeeded"]


def test_who_waits_for_a_job_is_held_on_when_another_reader_leaves(
    flavour: Flavour, house: House, pool: ThreadPoolExecutor
) -> None:
    """v2.16: only a look that comes with the cut is answered early."""
    with opened(flavour, house.url, house.alice.key) as comfy:
        job = comfy.submit(poster())
        waiting = pool.submit(job.wait)
        time.sleep(1.2)
        url = f"{house.url}/api/v2/jobs/{job.id}/events"
        auth = {"Authorization": f"Bearer {house.alice.key}"}
        with httpx.stream("GET", url, headers=auth) as stream:
            next(stream.iter_lines())
        time.sleep(0.3)
        house.executor.claim()
        house.executor.succeed()
        ended = time.monotonic()
        waiting.result(timeout=10)
        assert time.monotonic() - ended < 1.0


def sse(*frames: str) -> Response:
    """A stream that ends without saying how the job did."""
    return Response("".join(f"{f}\n\n" for f in frames), media_type="text/event-stream")


def test_a_stream_that_ends_too_early_is_opened_again(
    comfy: Comfy, front: Front, house: House
) -> None:
    """v2.20: nothing is replayed that the job has not got."""
    job = comfy.submit(poster())
    house.executor.claim()
    house.executor.succeed()
    front.canned[("GET", f"/api/v2/jobs/{job.id}/events")] = [
        sse('event: status\ndata: {"status":"running"}')
    ]
    assert kinds(list(job.events())) == ["running", "succeeded"]


def test_one_stream_lasts_for_a_whole_job(
    comfy: Comfy, front: Front, house: House, pool: ThreadPoolExecutor
) -> None:
    """v2.20: the SDK reconnects ten times a second, so we never close a live stream early."""
    job = comfy.submit(poster())
    listener = Listener(pool, job)
    house.executor.claim()
    listener.wait_for("running")
    for step in range(1, 11):
        house.executor.send(progress={**PROGRESS, "value": step / 10})
        time.sleep(0.2)
    house.executor.succeed()
    listener.all()
    assert [e.path for e in front.seen("GET")] == [f"/api/v2/jobs/{job.id}/events"]


def test_frames_that_the_sdk_cannot_read_do_it_no_harm(
    comfy: Comfy, front: Front, house: House
) -> None:
    """v2.21: a preview that is no base64, an event nobody knows, a log line, a comment."""
    job = comfy.submit(poster())
    house.executor.claim()
    house.executor.succeed()
    front.canned[("GET", f"/api/v2/jobs/{job.id}/events")] = [
        sse(
            'event: preview\ndata: {"node_id":"1","content_type":"image/png","data_base64":"@"}',
            'event: surprise\ndata: {"a":1}',
            ": ping",
            'event: log\ndata: {"level":"info","message":"hello"}',
        )
    ]
    events = list(job.events())
    assert kinds(events) == ["Preview", "Log", "succeeded"]
    assert isinstance(events[0], Preview)
    assert events[0].data == b""


def test_a_preview_of_garbage_is_an_empty_one(
    comfy: Comfy, house: House, pool: ThreadPoolExecutor
) -> None:
    """v2.21: whatever a node sends as a picture, the stream goes on."""
    job = comfy.submit(poster())
    listener = Listener(pool, job)
    house.executor.claim()
    listener.wait_for("running")
    house.executor.send(preview={**PREVIEW, "data_base64": "@@@@"})
    listener.wait_for("Preview", within_s=3)  # the look of every 5 s would find it too
    house.executor.succeed()
    [preview] = [e for e in listener.all() if isinstance(e, Preview)]
    assert preview.data == b""
