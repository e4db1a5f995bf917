"""`wait()`: one held request instead of many polls, and over within a moment of the job."""

import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from comfy_sdk import Comfy, Job

from app.config import Settings
from app.jobs.tokens import WorkerGrant
from tests.app.conftest import House, opened_house
from tests.app.front_door import Executor
from tests.conformance.clients.front import Front, fronting
from tests.conformance.python.flavours import Flavour, opened
from tests.conformance.python.graphs import poster

HEARTBEAT_S = 5.0


@contextmanager
def holding(settings: Settings, hold_s: float) -> Generator[tuple[House, Front]]:
    """A front door that holds for another time."""
    with (
        opened_house(settings.model_copy(update={"long_poll_s": hold_s})) as house,
        fronting(house.url) as front,
    ):
        yield house, front


def one_more_worker(house: House) -> Executor:
    """With one slot of its own."""
    return house.worker(WorkerGrant(workspaces=None, environments=["local"], slots=1))


def started(comfy: Comfy, house: House) -> tuple[Job, Executor]:
    """A job, and the worker that runs it."""
    job = comfy.submit(poster())
    worker = one_more_worker(house)
    ticket = worker.claim()
    assert ticket is not None
    assert ticket["job_id"] == job.id
    return job, worker


def waited(job: Job, worker: Executor, front: Front, seconds: float) -> tuple[float, int]:
    """Milliseconds from the end of a job of so many seconds to the end of `wait()`, and its GETs."""
    with ThreadPoolExecutor(1) as pool:
        returned = pool.submit(lambda: (job.wait().status, time.monotonic()))
        ends_at = time.monotonic() + seconds
        while (left := ends_at - time.monotonic()) > 0:
            worker.send()  # a sign of life, or the lease passes
            time.sleep(min(left, HEARTBEAT_S))
        worker.succeed()
        ended = time.monotonic()
        status, at = returned.result(30)
    assert status == "succeeded"
    gets = [e for e in front.seen("GET") if job.id in e.path]
    return max(0.0, at - ended) * 1_000, len(gets)


@pytest.mark.parametrize("seconds", [0.3, 2.0])
def test_one_request_waits_for_a_job(
    comfy: Comfy, house: House, front: Front, seconds: float
) -> None:
    """v2.16: with the default hold of 20 s; the milliseconds are told, the requests are counted."""
    milliseconds, requests = waited(*started(comfy, house), front, seconds)
    print(f"\n{seconds:g} s job: wait() returned after {milliseconds:.1f} ms")  # noqa: T201
    assert requests == 1


def test_a_job_longer_than_the_hold_takes_a_request_for_each(
    flavour: Flavour, settings: Settings
) -> None:
    """v2.16: the 40 s job at a 20 s hold, in a tenth of the time."""
    with (
        holding(settings, 2) as (house, front),
        opened(flavour, front.url, house.alice.key) as comfy,
    ):
        _, requests = waited(*started(comfy, house), front, 3.5)
    assert requests == 2


def test_looking_at_a_job_does_not_wait(comfy: Comfy, house: House, front: Front) -> None:
    """v2.16: `jobs.get` asks the bare address, which answers at once."""
    job = comfy.submit(poster())
    started = time.monotonic()
    assert comfy.jobs.get(job.id).status == "queued"
    assert time.monotonic() - started < 5.0
    assert [e.path for e in front.seen("GET")] == [f"/api/v2/jobs/{job.id}"]


def test_no_hold_outlasts_the_patience_of_a_client() -> None:
    """v2.16: 30 s is the default of all three clients."""
    assert Settings.model_fields["long_poll_s"].default <= 25
    with pytest.raises(ValueError, match="25"):
        Settings.model_validate({"long_poll_s": 26})


def test_a_wait_with_a_limit_ends_a_hold_after_it(flavour: Flavour, settings: Settings) -> None:
    """v2.17: the SDK looks at its clock only between two answers, so the hold is its tolerance."""
    with (
        holding(settings, 1) as (house, front),
        opened(flavour, front.url, house.alice.key) as comfy,
    ):
        job = comfy.submit(poster())
        started = time.monotonic()
        with pytest.raises(TimeoutError, match=job.id):
            job.wait(timeout=1.2)
        took = time.monotonic() - started
    assert took >= 1.2
    assert len(front.seen("GET")) == 2, "one before the limit, one that reached it"


def test_without_a_hold_the_sdk_polls(flavour: Flavour, settings: Settings) -> None:
    """v2.16: 0 switches it off, for callers who built their client with a short timeout."""
    with (
        holding(settings, 0) as (house, front),
        opened(flavour, front.url, house.alice.key) as comfy,
    ):
        job = comfy.submit(poster())
        with pytest.raises(TimeoutError):
            job.wait(timeout=1)
    assert {e.path for e in front.seen("GET")} == {f"/api/v2/jobs/{job.id}"}
