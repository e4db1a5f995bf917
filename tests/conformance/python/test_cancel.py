"""Cancel: always 200, never undone, and a state that is final stays what it is."""

from concurrent.futures import ThreadPoolExecutor

from comfy_sdk import Comfy

from tests.app.conftest import House
from tests.conformance.python.graphs import poster

ROUNDS = 8


def test_a_queued_job_is_canceled_at_once_and_once_more(comfy: Comfy, house: House) -> None:
    """v2.25: nobody runs it."""
    job = comfy.submit(poster())
    assert job.cancel().status == "canceled"
    assert job.cancel().status == "canceled"
    assert house.executor.claim() is None


def test_a_running_job_is_canceled_by_its_worker(comfy: Comfy, house: House) -> None:
    """v2.25: `canceling` until it says so."""
    job = comfy.submit(poster())
    house.executor.claim()
    assert job.cancel().status == "canceling"
    assert job.cancel().status == "canceling"
    assert house.executor.send().json()["cancel"] is True
    house.executor.send({"type": "canceled"})
    assert job.wait().status == "canceled"
    assert job.cancel().status == "canceled"


def test_a_finished_job_stays_as_it_is(comfy: Comfy, house: House) -> None:
    """v2.25: with its outputs."""
    job = comfy.submit(poster())
    house.executor.claim()
    house.executor.put_output()
    house.executor.succeed()
    assert job.cancel().status == "succeeded"
    assert len(job.outputs) == 1


def test_a_cancel_that_races_the_end_wins_or_loses_but_never_both(
    comfy: Comfy, house: House
) -> None:
    """v2.25: what it answered is kept; who was told `canceling` never sees `succeeded`."""
    outcomes: set[tuple[str, str]] = set()
    with ThreadPoolExecutor(1) as pool:
        for _ in range(ROUNDS):
            job = comfy.submit(poster())
            house.executor.claim()
            ending = pool.submit(house.executor.succeed)
            told = job.cancel().status
            ending.result(10)
            ended = job.wait().status
            outcomes.add((told, ended))
            assert job.refresh().status == ended
    assert outcomes <= {
        ("canceling", "canceled"),
        ("canceled", "canceled"),
        ("succeeded", "succeeded"),
    }
