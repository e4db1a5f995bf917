"""The event stream: v2's order, resume without a gap, and nothing lost without Redis."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack

import psycopg
import pytest

from app.config import Settings
from tests.app.conftest import House, opened_house
from tests.app.streams import Reader, reading_path


def reading(house: House, job_id: str, **headers: str) -> AbstractContextManager[Reader]:
    """Read a job's stream for as long as the block lasts."""
    return reading_path(house, f"/jobs/{job_id}/events", **headers)


PROGRESS = {"value": 0.5, "nodes_done": 1, "nodes_total": 2}
PREVIEW = {"node_id": "1", "content_type": "image/jpeg", "data_base64": "AAAA"}


def test_a_stream_tells_a_job_from_its_queue_to_its_end(house: House) -> None:
    job = house.alice.submit()
    with reading(house, job["id"]) as reader:
        reader.wait_for("status")
        house.executor.claim()
        reader.wait_for("status", "status")
        house.executor.send(progress=PROGRESS)
        reader.wait_for("status", "status", "progress")
        house.executor.send(preview=PREVIEW)
        reader.wait_for("status", "status", "progress", "preview")
        house.executor.put_output()
        house.executor.succeed()
        reader.wait_for_end()
    assert [f.event for f in reader.frames][-2:] == ["output", "status"]
    assert [f.data["status"] for f in reader.frames if f.event == "status"] == [
        "queued",
        "running",
        "succeeded",
    ]
    assert [f.id for f in reader.frames] == ["1", "2", None, None, "3", "4"]


def test_who_connects_late_gets_the_state_and_every_output(house: House) -> None:
    job = house.alice.submit()
    house.executor.claim()
    house.executor.send(progress=PROGRESS, preview=PREVIEW)
    house.executor.put_output()
    with reading(house, job["id"]) as reader:
        reader.wait_for("status", "progress", "preview", "output")
        house.executor.succeed()
    assert reader.frames[-1].data["status"] == "succeeded"


def test_who_connects_after_the_end_gets_outputs_before_the_last_status(house: House) -> None:
    job = house.alice.submit()
    house.executor.claim()
    house.executor.put_output()
    house.executor.succeed()
    with reading(house, job["id"]) as reader:
        reader.wait_for_end()
    assert [f.event for f in reader.frames] == ["output", "status"]


def test_a_resumed_stream_has_no_gap_and_repeats_nothing(house: House) -> None:
    job = house.alice.submit()
    house.executor.claim()
    house.executor.put_output(name="a.png")
    house.executor.put_output(name="b.png")
    house.executor.succeed()
    with reading(house, job["id"], **{"Last-Event-ID": "3"}) as reader:
        reader.wait_for_end()
    assert [(f.event, f.id) for f in reader.frames] == [("output", "4"), ("status", "5")]
    assert reader.frames[0].data["name"] == "b.png"


@pytest.mark.parametrize("wrong", ["999", "-1", "x", ""])
def test_an_id_that_cannot_be_true_begins_anew(house: House, wrong: str) -> None:
    job = house.alice.submit()
    house.alice.http.post(f"/jobs/{job['id']}/cancel")
    with reading(house, job["id"], **{"Last-Event-ID": wrong}) as reader:
        reader.wait_for_end()
    assert [f.data["status"] for f in reader.frames] == ["canceled"]


def test_a_new_start_forgets_the_preview_of_the_last(house: House) -> None:
    job = house.alice.submit(max_tries=3)
    house.executor.claim()
    house.executor.send(progress=PROGRESS, preview=PREVIEW)
    house.executor.send({"type": "interrupted", "restarts": False})
    house.executor.claim()
    with reading(house, job["id"]) as reader:
        reader.wait_for("status")
        house.executor.succeed()


def test_line_separators_survive_the_wire(house: House) -> None:
    job = house.alice.submit()
    house.executor.claim()
    with reading(house, job["id"]) as reader:
        reader.wait_for("status")
        message = "a\u2028b\u2029c\u0085d😀"
        house.executor.send({"type": "log", "level": "info", "message": message})
        reader.wait_for("status", "log")
        house.executor.succeed()
    assert reader.frames[1].data == {"level": "info", "message": message}


def test_a_stream_is_right_without_redis_only_slower(settings: Settings) -> None:
    with opened_house(settings.model_copy(update={"redis_url": ""})) as house:
        job = house.alice.submit()
        with reading(house, job["id"]) as reader:
            reader.wait_for("status")
            house.executor.claim()
            house.executor.send(progress=PROGRESS)
            house.executor.succeed()
        assert reader.frames[-1].data["status"] == "succeeded"


def test_a_stream_on_another_front_door_hears_everything(house: House, settings: Settings) -> None:
    job = house.alice.submit()
    with opened_house(settings) as other:
        elsewhere = House(other.url, settings, house.executor, house.alice, house.clients)
        with reading(elsewhere, job["id"]) as reader:
            reader.wait_for("status")
            house.executor.claim()
            reader.wait_for("status", "status")
            house.executor.send(progress=PROGRESS)
            reader.wait_for("status", "status", "progress")
            house.executor.succeed()
    assert reader.frames[-1].data["status"] == "succeeded"


def test_many_readers_of_one_job_all_hear_its_end(house: House) -> None:
    job = house.alice.submit()
    house.executor.claim()

    def read(_: int) -> str:
        with reading(house, job["id"]) as reader:
            reader.wait_for_end()
        return reader.frames[-1].data["status"]

    with ThreadPoolExecutor(20) as pool:
        statuses = [pool.submit(read, i) for i in range(20)]
        house.executor.succeed()
        assert {s.result(timeout=10) for s in statuses} == {"succeeded"}


@pytest.mark.parametrize("round_", range(5))
def test_a_front_door_ends_quickly_with_streams_open(settings: Settings, round_: int) -> None:
    with opened_house(settings) as house:
        job = house.alice.submit(priority=round_)
        reader = Reader()
        auth = {"Authorization": f"Bearer {house.alice.key}"}
        url = f"{house.url}/api/v2/jobs/{job['id']}/events"
        thread = threading.Thread(target=reader.run_until_cut, args=(url, auth), daemon=True)
        thread.start()
        reader.wait_for("status")
        house.executor.claim()
        house.executor.send(progress=PROGRESS)
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 4.0
    thread.join(5)
    assert not thread.is_alive()


def test_more_streams_than_there_may_be_are_told_to_come_later(settings: Settings) -> None:
    with opened_house(settings.model_copy(update={"max_streams": 1})) as house:
        job = house.alice.submit()
        with reading(house, job["id"]) as reader:
            reader.wait_for("status")
            for path in (f"/jobs/{job['id']}/events", "/events"):
                refused = house.alice.http.get(path)
                assert refused.status_code == 429
                assert refused.json()["error"]["code"] == "too_many_streams"
                assert int(refused.headers["Retry-After"]) > 0
            assert house.alice.job(job["id"])["status"] == "queued", "polling goes on"
            house.alice.http.post(f"/jobs/{job['id']}/cancel")
        with reading(house, job["id"]) as reader:
            reader.wait_for_end()
        assert reader.frames[-1].data["status"] == "canceled", "there is room again"


def test_readers_of_one_job_share_the_reading_of_its_log(house: House, settings: Settings) -> None:
    job = house.alice.submit()
    house.executor.claim()
    with ExitStack() as stack:
        readers = [stack.enter_context(reading(house, job["id"])) for _ in range(20)]
        for reader in readers:
            reader.wait_for("status")
        before = reads_of_the_log(settings)
        house.executor.send({"type": "log", "level": "info", "message": "x"})
        for reader in readers:
            reader.wait_for("status", "log")
        assert reads_of_the_log(settings) - before < len(readers), "one for all"
        house.executor.succeed()


def reads_of_the_log(settings: Settings) -> int:
    """Index scans of the event log in its database, once the backends have reported them."""
    time.sleep(1.5)  # they report a second after they went idle
    with psycopg.connect(settings.database_url) as connection:
        row = connection.execute(
            "select idx_scan from pg_stat_user_tables where relname = 'job_events'"
        ).fetchone()
    assert row is not None
    return row[0]
