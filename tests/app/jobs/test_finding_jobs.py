"""Lists with their filters, the log of a job, and what time takes away."""

from typing import Any

import pytest

from app.db.postgres import Database
from app.jobs.models import MAX_LOG_BYTES
from app.jobs.repository.retention import RetentionRepository
from tests.app.conftest import House, Machine
from tests.app.jobs.test_job_api import error


def listed(house: House, query: str) -> list[str]:
    """Ids of the first page."""
    reply = house.alice.http.get(f"/jobs?{query}")
    assert reply.status_code == 200, reply.text
    return [job["id"] for job in reply.json()["jobs"]]


def test_jobs_are_found_by_all_of_their_tags(house: House) -> None:
    both = house.alice.submit(tags=["campaign", "draft"])["id"]
    one = house.alice.submit(tags=["campaign"])["id"]
    house.alice.submit()
    assert listed(house, "tag=campaign") == [one, both]
    assert listed(house, "tag=campaign&tag=draft") == [both]
    assert listed(house, "tag=camp") == []


def test_jobs_are_found_by_the_status_that_is_shown(house: House) -> None:
    running, canceling, queued, canceled = (house.alice.submit()["id"] for _ in range(4))
    second = house.another_worker()
    house.executor.claim()
    second.claim()
    for job_id in (canceling, canceled):
        house.alice.http.post(f"/jobs/{job_id}/cancel")
    assert listed(house, "status=running") == [running]
    assert listed(house, "status=canceling") == [canceling]
    assert listed(house, "status=queued") == [queued]
    assert listed(house, "status=canceled,running") == [canceled, running]


def test_filters_meet(house: House) -> None:
    wanted = house.alice.submit(tags=["t"], metadata={"run": "7"})["id"]
    house.alice.submit(tags=["t"], metadata={"run": "8"})
    house.alice.submit(metadata={"run": "7"})
    assert listed(house, "tag=t&metadata[run]=7&status=queued&environment=local") == [wanted]
    assert listed(house, "tag=t&metadata[run]=7&environment=elsewhere") == []


@pytest.mark.parametrize("query", ["status=done", "status=queued,,", "tag=%00", "environment=%00"])
def test_a_filter_that_means_nothing_is_refused(house: House, query: str) -> None:
    reply = house.alice.http.get(f"/jobs?{query}")
    assert (reply.status_code, error(reply)["code"]) == (400, "invalid_request")


def test_every_page_of_250_jobs_is_seen_once(house: House) -> None:
    made = [house.alice.submit(metadata={"run": "7"})["id"] for _ in range(250)]
    seen: list[str] = []
    params: dict[str, Any] = {"metadata[run]": "7", "limit": 100}
    for _ in range(3):
        page = house.alice.http.get("/jobs", params=params).json()
        seen += [job["id"] for job in page["jobs"]]
        params["cursor"] = page.get("next_cursor")
    assert params["cursor"] is None
    assert seen == made[::-1]


def test_the_log_of_a_job_is_read_line_by_line(house: House) -> None:
    job = house.alice.submit()
    assert house.alice.http.get(f"/jobs/{job['id']}/logs").status_code == 204
    house.executor.claim()
    house.executor.send(
        {"type": "log", "level": "info", "message": "loading"},
        {"type": "log", "level": "warning", "message": "slow"},
    )
    reply = house.alice.http.get(f"/jobs/{job['id']}/logs").json()
    assert [line.split(maxsplit=1)[1] for line in reply["text"].splitlines()] == [
        "INFO    loading",
        "WARNING slow",
    ]
    assert (reply["truncated"], reply["complete"]) == (False, False)
    house.executor.succeed()
    done = house.alice.job(job["id"])
    reply = house.alice.http.get(f"/jobs/{job['id']}/logs").json()
    assert (reply["complete"], reply["captured_at"]) == (True, done["completed_at"])
    assert done["urls"]["logs"].endswith(f"/jobs/{job['id']}/logs")
    stranger = house.caller("stranger").http.get(f"/jobs/{job['id']}/logs")
    assert (stranger.status_code, error(stranger)["code"]) == (404, "job_not_found")


def test_a_log_that_never_ends_is_cut_and_says_so(house: House) -> None:
    job = house.alice.submit()
    house.executor.claim()
    line = {"type": "log", "level": "info", "message": "x" * 4_000}
    for _ in range(6):
        assert house.executor.send(*[line] * 50).status_code == 200
    reply = house.alice.http.get(f"/jobs/{job['id']}/logs").json()
    lines = reply["text"].splitlines()
    assert lines[-1].endswith("The log is full: later lines are dropped.")
    assert MAX_LOG_BYTES - 10_000 < len(reply["text"]) < MAX_LOG_BYTES + 20_000
    assert reply["truncated"]
    house.executor.succeed()
    assert house.alice.job(job["id"])["status"] == "succeeded", "the run itself goes on"


async def test_an_idempotency_key_is_free_again_after_its_time(machine: Machine) -> None:
    first = await machine.submit(idempotency_key="k", request_hash=b"h")
    retention = RetentionRepository(machine.database, idempotency_s=60)
    assert await retention.forget_keys() == 0
    await age(machine.database)
    assert await retention.forget_keys() == 1
    row = await machine.row(first)
    assert (row["idempotency_key"], row["request_hash"]) == (None, None)
    await machine.submit(idempotency_key="k", request_hash=b"h")


async def age(database: Database) -> None:
    """Let all jobs be of yesterday."""
    await database.run("update app.jobs set created_at = created_at - interval '1 day'")


def test_a_job_that_still_runs_is_never_hidden(house: House) -> None:
    job = house.alice.submit()
    house.sql("update app.jobs set expires_at = now() - interval '1 s'")
    assert house.alice.job(job["id"])["status"] == "queued"
    assert listed(house, "status=queued") == [job["id"]]
    house.alice.http.post(f"/jobs/{job['id']}/cancel")
    for path in ("", "/workflow", "/logs", "/events"):
        reply = house.alice.http.get(f"/jobs/{job['id']}{path}")
        assert (reply.status_code, error(reply)["code"]) == (404, "job_not_found")
    assert listed(house, "") == []
