"""Running ended jobs again, one by one and all that failed."""

from typing import Any
from uuid import UUID, uuid4

import httpx

from app.config import Settings
from tests.app.conftest import House, Machine, opened_house
from tests.app.front_door import POSTER

FAILURE = {"code": "out_of_memory", "message": "no"}


def fail(house: House, **failure: str) -> None:
    house.executor.send({"type": "failed", "failure": {**FAILURE, **failure}})


def failed_job(house: House, **fields: Any) -> dict[str, Any]:
    job = house.alice.submit(max_tries=1, **fields)
    assert house.executor.claim() is not None
    fail(house)
    assert house.alice.job(job["id"])["status"] == "failed"
    return job


def retry(house: House, job_id: str, **options: Any) -> httpx.Response:
    return house.alice.http.post(f"/jobs/{job_id}/retry", **options)


def code_of(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]


def test_a_failed_job_is_run_again_as_it_was(house: House) -> None:
    options: dict[str, Any] = {"priority": 7, "deadline_s": 60.0, "strip_metadata": True}
    old = failed_job(house, tags=["poster"], metadata={"a": "b"}, **options)
    reply = retry(house, old["id"])
    assert reply.status_code == 201
    new = reply.json()
    assert new["id"] != old["id"]
    assert (new["status"], new["retry_of"], new["tries"]) == ("queued", old["id"], 0)
    assert (new["tags"], new["metadata"]) == (["poster"], {"a": "b"})
    ticket = house.executor.claim()
    assert ticket is not None
    assert ticket["job_id"] == new["id"]
    assert ticket["limits"]["deadline_s"] <= 60
    assert ticket["strip_metadata"] is True
    house.executor.succeed()
    assert house.alice.job(new["id"])["status"] == "succeeded"
    assert house.alice.job(old["id"])["status"] == "failed"
    graphs = [house.alice.http.get(f"/jobs/{i}/workflow").json() for i in (old["id"], new["id"])]
    assert graphs[0] == graphs[1]


def test_a_job_that_has_not_ended_is_not_retried(house: House) -> None:
    job = house.alice.submit()
    assert code_of(retry(house, job["id"])) == (409, "job_not_ended")


def test_a_full_queue_takes_no_job_and_answers_a_replay(
    settings: Settings,
) -> None:
    with opened_house(settings.model_copy(update={"max_queued": 1})) as house:
        keyed: dict[str, Any] = {"json": {"workflow": POSTER}, "headers": {"Idempotency-Key": "k"}}
        first = house.alice.http.post("/jobs", **keyed).json()
        refused = house.alice.http.post("/jobs", json={"workflow": POSTER})
        assert code_of(refused) == (429, "queue_full")
        assert refused.headers["Retry-After"].isdigit()
        assert house.alice.http.post("/jobs", **keyed).json()["id"] == first["id"]
        house.alice.http.post(f"/jobs/{first['id']}/cancel")
        assert house.alice.submit()["status"] == "queued"
        assert code_of(retry(house, first["id"])) == (429, "queue_full")


def test_a_full_queue_answers_the_replay_of_a_retry(settings: Settings) -> None:
    with opened_house(settings.model_copy(update={"max_queued": 1})) as house:
        job = failed_job(house)
        headers = {"Idempotency-Key": "again"}
        first = retry(house, job["id"], headers=headers)
        assert code_of(retry(house, job["id"])) == (429, "queue_full")
        second = retry(house, job["id"], headers=headers)
        assert second.json()["id"] == first.json()["id"]
        assert second.headers["Idempotent-Replayed"] == "true"


def test_a_strangers_job_is_not_retried(house: House) -> None:
    job = failed_job(house)
    stranger = house.caller("stranger")
    for job_id in (job["id"], uuid4()):
        reply = stranger.http.post(f"/jobs/{job_id}/retry")
        assert code_of(reply) == (404, "job_not_found")


def test_a_retry_with_a_key_happens_once(house: House) -> None:
    job, other = failed_job(house), failed_job(house)
    headers = {"Idempotency-Key": "again"}
    first, second = (retry(house, job["id"], headers=headers) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["Idempotent-Replayed"] == "true"
    assert code_of(retry(house, other["id"], headers=headers)) == (422, "idempotency_key_reuse")


def test_partner_keys_are_sent_again(house: House) -> None:
    job = failed_job(house, extra_data={"api_key_comfy_org": "first"})
    retry(house, job["id"], json={"extra_data": {"api_key_comfy_org": "second"}})
    ticket = house.executor.claim()
    assert ticket is not None
    assert ticket["extra_data"] == {"api_key_comfy_org": "second"}


def test_a_job_whose_files_are_gone_is_not_retried(house: House) -> None:
    asset = house.alice.upload(b"some bytes", "photo.png").json()
    image = {"__type": "core/ASSET", "info": {"id": asset["id"]}}
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": image}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "p"}},
    }
    job = failed_job(house, workflow=graph)
    assert house.alice.http.delete(f"/assets/{asset['id']}").status_code == 204
    assert code_of(retry(house, job["id"])) == (422, "missing_asset")


def test_all_that_failed_is_retried_once(house: House) -> None:
    failed = [failed_job(house, tags=["night"])["id"] for _ in range(3)]
    failed_job(house)
    canceled = house.alice.submit(tags=["night"])["id"]
    house.alice.http.post(f"/jobs/{canceled}/cancel")
    wanted = {"tags": ["night"], "codes": ["out_of_memory"]}
    reply = house.alice.http.post("/jobs/retry", json=wanted)
    assert reply.status_code == 201
    assert [each["retry_of"] for each in reply.json()["jobs"]] == failed
    assert house.alice.http.post("/jobs/retry", json=wanted).json() == {"jobs": []}
    assert house.alice.http.post("/jobs/retry", json={"codes": ["poisoned"]}).json() == {"jobs": []}
    both = {"status": ["failed", "canceled"], "tags": ["night"]}
    [last] = house.alice.http.post("/jobs/retry", json=both).json()["jobs"]
    assert last["retry_of"] == canceled


def test_what_ended_is_the_only_thing_to_retry(house: House) -> None:
    reply = house.alice.http.post("/jobs/retry", json={"status": ["running"]})
    assert code_of(reply) == (422, "invalid_request")


def test_a_header_asks_for_one_start_only(house: House) -> None:
    headers = {"X-No-Retry": "1"}
    reply = house.alice.http.post("/jobs", json={"workflow": POSTER}, headers=headers)
    house.executor.claim()
    fail(house, code="comfyui_crashed")
    job = house.alice.job(reply.json()["id"])
    assert (job["status"], job["tries"]) == ("failed", 1)


async def test_a_workflow_that_killed_its_workers_is_started_once_the_next_time(
    machine: Machine,
) -> None:
    async def submitted(graph_hash: bytes) -> tuple[UUID, int]:
        job_id = await machine.submit(graph_hash=graph_hash)
        return job_id, (await machine.row(job_id))["max_tries"]

    deadly, harmless = b"d" * 32, b"h" * 32
    job_id, tries = await submitted(deadly)
    assert tries == 3
    for _ in range(3):
        assert await machine.claim() is not None
        await machine.let_lease_pass(job_id)
        await machine.reap_without_extending()
        await machine.database.run("update app.jobs set run_after = now()")
    assert (await machine.row(job_id))["error"]["code"] == "poisoned"
    assert [(await submitted(each))[1] for each in (deadly, harmless)] == [1, 3]
    await machine.database.run(
        "update app.jobs set ended_at = now() - interval '2 days' where ended_at is not null"
    )
    assert (await submitted(deadly))[1] == 3
