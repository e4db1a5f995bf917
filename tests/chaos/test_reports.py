"""What executors report, said twice, late and out of order: a real front door over real HTTP."""

import random
import time
from collections.abc import Generator
from typing import Any
from uuid import uuid4

import pytest

from app.config import Settings
from tests.app.conftest import House, opened_house
from tests.app.streams import reading_path

pytestmark = pytest.mark.chaos


@pytest.fixture
def house(settings: Settings) -> Generator[House]:
    """A front door, its stores and its worker."""
    with opened_house(settings) as house:
        yield house


def log(number: int) -> dict[str, Any]:
    """The so-many-th transition of a run."""
    return {
        "client_seq": number,
        "event": {"type": "log", "level": "info", "message": str(number)},
    }


def progress(value: float) -> dict[str, Any]:
    """A snapshot."""
    return {"value": value, "nodes_done": 0, "nodes_total": 1}


@pytest.mark.parametrize("seed", range(5))
def test_reports_said_twice_and_in_any_order_are_taken_once_and_in_order(
    house: House, seed: int
) -> None:
    """Row 18: events duplicated and reordered."""
    job = house.alice.submit()
    house.executor.claim()
    chance = random.Random(seed)  # noqa: S311 - chance, not secrecy
    batches = [[log(n) for n in range(first, first + 3)] for first in range(1, 31, 3)]
    said = batches * 3
    taken = 0
    while taken < 30:
        chance.shuffle(said)
        for batch in said:
            reply = house.executor.send_raw({"transitions": batch})
            if batch[0]["client_seq"] > taken + 1:
                assert (reply.status_code, code(reply.json())) == (409, "event_gap")
                assert reply.json()["error"]["details"] == {"expected": taken + 1}
            else:
                assert reply.status_code == 200
                taken = max(taken, batch[-1]["client_seq"])
    end: dict[str, Any] = {"client_seq": 31, "event": {"type": "succeeded", "timings_ms": {}}}
    for _ in range(3):
        assert house.executor.send_raw({"transitions": [end]}).status_code == 200
    text: str = house.alice.http.get(f"/jobs/{job['id']}/logs").json()["text"]
    assert [line.split()[-1] for line in text.splitlines()] == [str(n) for n in range(1, 31)]
    assert house.alice.job(job["id"])["status"] == "succeeded"


def test_what_comes_after_the_end_changes_nothing(house: House) -> None:
    """Row 18: late transitions, heartbeats and another ending are told to stop."""
    job = house.alice.submit()
    house.executor.claim()
    house.executor.succeed()
    before = house.alice.job(job["id"])
    failed = {"type": "failed", "failure": {"code": "node_error", "message": "x"}}
    for batch in (
        {"transitions": [log(2)]},
        {"transitions": [{"client_seq": 2, "event": failed}]},
        {"progress": progress(0.1)},
        {},
    ):
        reply = house.executor.send_raw(batch)
        assert (reply.status_code, reply.json()["stop"]) == (200, True)
    assert house.alice.job(job["id"]) == before


def test_progress_that_comes_late_does_not_go_back(house: House) -> None:
    """Row 18: an older snapshot that was held up on its way is not shown over a newer one."""
    job = house.alice.submit()
    house.executor.claim()
    with reading_path(house, f"/jobs/{job['id']}/events") as reader:
        for value in (0.2, 0.6, 0.4, 0.7, 0.1):
            house.executor.send(progress=progress(value))
            time.sleep(0.3)
        house.executor.succeed()
    shown = [frame.data["value"] for frame in reader.frames if frame.event == "progress"]
    assert shown == sorted(shown)
    assert shown[-1] == pytest.approx(0.7)


def test_a_claim_said_twice_is_one_start(house: House) -> None:
    """Row 19: the same claim gets the same ticket, another one the next job or none."""
    job = house.alice.submit()
    claim_id = uuid4()
    first, second = house.executor.claim(claim_id), house.executor.claim(claim_id)
    assert first
    assert second
    assert (first["job_id"], first["epoch"]) == (second["job_id"], second["epoch"])
    assert house.another_worker().claim() is None
    assert house.alice.job(job["id"])["tries"] == 1


def code(body: dict[str, Any]) -> str:
    """Of v2's envelope."""
    return body["error"]["code"]
