"""Jobs of the TypeScript SDK: submitted once, refused with a class, readable in every state."""

import json
import threading
import time
from typing import Any

import psycopg
import pytest
from starlette.responses import JSONResponse

from app.config import Settings
from app.jobs.tokens import WorkerGrant
from tests.app.conftest import House, opened_house
from tests.app.front_door import POSTER
from tests.conformance.clients.front import Front
from tests.conformance.clients.installed import CLIENTS, NEEDS_CLIENTS
from tests.conformance.clients.node import Sdk

pytestmark = NEEDS_CLIENTS

OTHER: dict[str, Any] = {**POSTER, "1": {**POSTER["1"], "inputs": {"prompt": "other", "seed": 2}}}
KINDS = {
    "image": ("a.png", "image/png"),
    "video": ("b.webm", "video/webm"),
    "audio": ("c.mp3", "audio/mpeg"),
    "text": ("d.txt", "text/plain; charset=utf-8"),
    "latent": ("e.latent", "application/octet-stream"),
    "file": ("f.glb", "model/gltf-binary"),
}


def submit(sdk: Sdk, *graphs: Any, **order: str) -> list[dict[str, Any]]:
    """Submit graphs in one program."""
    return sdk.run("submit", json.dumps({"graphs": graphs, **order}))


def count_jobs(house: House) -> int:
    """How many the front door knows of."""
    return len(house.alice.http.get("/jobs", params={"limit": 100}).json()["jobs"])


def test_a_key_sent_again_gives_the_same_job(house: House, sdk: Sdk) -> None:
    first, again, other = submit(sdk, POSTER, POSTER, OTHER, key="k1")
    assert again["id"] == first["id"]
    assert (other["error"], other["status"]) == ("IdempotencyKeyReuse", 422)
    assert other["details"]["job_id"] == first["id"]
    assert count_jobs(house) == 1


def test_a_key_sent_again_is_refused_where_the_letter_of_v2_is_wanted(
    programs: None, settings: Settings
) -> None:
    with opened_house(settings.model_copy(update={"idempotency": "reject"})) as house:
        first, again = submit(Sdk(CLIENTS, house.url, house.alice.key), POSTER, POSTER, key="k1")
        assert (again["error"], again["code"]) == ("IdempotencyKeyReuse", "idempotency_key_reuse")
        assert again["details"] == {"job_id": first["id"]}
        assert count_jobs(house) == 1


def test_a_refused_key_is_free_for_the_next_attempt(house: House, sdk: Sdk) -> None:
    refused, taken = submit(sdk, {"1": {"class_type": "Nothing", "inputs": {}}}, POSTER, key="k2")
    assert refused["error"] == "InvalidWorkflow"
    assert taken["status"] == "queued"


def too_many(retry_after: str | None) -> JSONResponse:
    """A full queue."""
    return JSONResponse(
        {"error": {"code": "queue_full", "message": "The queue is full.", "details": None}},
        429,
        {} if retry_after is None else {"Retry-After": retry_after},
    )


def test_a_full_queue_is_tried_again_until_there_is_one_job(
    house: House, front: Front, sdk: Sdk
) -> None:
    front.canned["POST", "/api/v2/jobs"] = [too_many("0"), too_many("2"), too_many(None)]
    began = time.monotonic()
    [job] = submit(sdk, POSTER)
    assert job["status"] == "queued"
    assert 4 <= time.monotonic() - began < 12, "2 s as told, and 2 s where nothing was told"
    attempts = front.seen("POST", "/api/v2/jobs")
    assert [attempt.status for attempt in attempts] == [429, 429, 429, 201]
    assert len({attempt.headers["idempotency-key"] for attempt in attempts}) == 1
    assert count_jobs(house) == 1


def test_a_partner_key_reaches_the_worker_and_nobody_else(house: House, sdk: Sdk) -> None:
    [job] = submit(sdk, POSTER, partnerKey="canary-123")
    ticket = house.executor.claim()
    assert ticket is not None
    assert ticket["extra_data"] == {"api_key_comfy_org": "canary-123"}
    house.executor.succeed()
    [read] = sdk.run("read", job["id"])
    assert read["status"] == "succeeded"
    assert "canary" not in json.dumps(read)


UI_EXPORT: dict[str, Any] = {"nodes": [], "links": [], "last_node_id": 0}
CYCLE = {
    "1": {"class_type": "Scale", "inputs": {"image": ["2", 0], "method": "area", "width": 8}},
    "2": {"class_type": "Scale", "inputs": {"image": ["1", 0], "method": "area", "width": 8}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "p"}},
}
NO_INPUT = {**POSTER, "2": {"class_type": "SaveImage", "inputs": {"filename_prefix": "p"}}}


def test_a_bad_workflow_has_the_class_of_one(house: House, sdk: Sdk) -> None:
    unknown: dict[str, Any] = {"1": {"class_type": "NoSuchNode", "inputs": {}}}
    refusals = submit(sdk, unknown, NO_INPUT, CYCLE, {})
    assert [(r["error"], r["status"]) for r in refusals] == [("InvalidWorkflow", 422)] * 4
    assert "NoSuchNode" in refusals[0]["message"]
    assert refusals[1]["details"]["node_errors"].keys() == {"2"}
    assert count_jobs(house) == 0


def test_a_workflow_of_the_editor_is_named_as_such(front: Front, sdk: Sdk) -> None:
    [by_sdk] = submit(sdk, UI_EXPORT)
    assert by_sdk["error"] == "WorkflowFormatUi"
    assert not front.exchanges, "it is refused before a request"
    [by_us] = sdk.run("raw_submit", json.dumps(UI_EXPORT))
    assert (by_us["code"], by_us["status"]) == ("workflow_format_ui", 422)


def loading(image: Any) -> dict[str, Any]:
    """A graph that loads a file."""
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": image}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "p"}},
    }


def handle(asset_id: str) -> dict[str, Any]:
    """A reference to a file, as the SDK writes it."""
    return {"__type": "core/ASSET", "info": {"id": asset_id}}


def test_a_file_that_is_not_there_is_a_missing_asset(house: House, sdk: Sdk) -> None:
    mine = house.alice.upload(b"mine").json()["id"]
    foreign = house.caller("bob").upload(b"bob's").json()["id"]
    gone = house.alice.upload(b"gone", "gone.png").json()["id"]
    house.alice.http.delete(f"/assets/{gone}")
    malformed: dict[str, Any] = {"__type": "core/ASSET", "info": {}}
    *refusals, taken = submit(
        sdk,
        *(loading(handle(asset_id)) for asset_id in (foreign, gone, "not-an-id")),
        *(loading(malformed), {**loading(handle(mine)), "3": nested(foreign)}),
        {**loading(handle(mine)), "3": nested(mine)},
    )
    assert [(r["error"], r["status"]) for r in refusals] == [("MissingAsset", 422)] * 5
    assert taken["status"] == "queued"


def nested(asset_id: str) -> dict[str, Any]:
    """A node with a reference in a list in an object."""
    files = [{"file": handle(asset_id)}]
    return {"class_type": "Poster", "inputs": {"prompt": "p", "seed": 1, "files": files}}


def test_all_seven_states_are_as_the_sdk_has_them(programs: None, settings: Settings) -> None:
    with opened_house(settings.model_copy(update={"reap_every_s": 0.2})) as house:
        worker = house.worker(WorkerGrant(workspaces=None, environments=["local"], slots=9))
        ids: dict[str, str] = {}
        for status in ("succeeded", "failed", "canceled", "canceling", "running"):
            ids[status] = house.alice.submit()["id"]
            worker.claim()
            if status == "succeeded":
                worker.put_output()
                worker.succeed()
            elif status == "failed":
                failure = {"code": "node_error", "message": "boom", "node_id": "1"}
                worker.send({"type": "failed", "failure": failure})
            elif status in {"canceled", "canceling"}:
                house.alice.http.post(f"/jobs/{ids[status]}/cancel")
            if status == "canceled":
                worker.send({"type": "canceled"})
        ids["expired"] = house.alice.submit()["id"]
        let_start_pass(house, ids["expired"])
        ids["queued"] = house.alice.submit()["id"]
        jobs = Sdk(CLIENTS, house.url, house.alice.key).run("read", *ids.values())
    assert [job.get("status", job) for job in jobs] == list(ids)
    assert [job["objections"] for job in jobs] == [[]] * 7
    assert {job["format"] for job in jobs} == {"api"}
    assert jobs[1]["error"]["message"] == "boom"


def let_start_pass(house: House, job_id: str) -> None:
    """Move the moment by which a job must have started into the past, and wait for the reaper."""
    with psycopg.connect(house.settings.database_url) as connection:
        connection.execute("update app.jobs set start_by = now() where id = %s", [job_id])
    until = time.monotonic() + 20
    while house.alice.job(job_id)["status"] == "queued":
        assert time.monotonic() < until, "it did not expire"
        time.sleep(0.05)


def test_outputs_of_every_kind_are_there(house: House, sdk: Sdk) -> None:
    job = house.alice.submit()
    house.executor.claim()
    for kind, (name, content_type) in KINDS.items():
        house.executor.put_output(kind.encode(), kind=kind, name=name, content_type=content_type)
    house.executor.succeed()
    [read] = sdk.run("read", job["id"])
    assert read["objections"] == []
    assert {o["type"]: (o["name"], o["contentType"]) for o in read["outputs"]} == KINDS
    assert all(o["jobId"] == job["id"] and o["sizeBytes"] for o in read["outputs"])


@pytest.mark.parametrize("after_s", [0.3, 2.0, 21.0])
def test_waiting_ends_with_the_job(house: House, front: Front, sdk: Sdk, after_s: float) -> None:
    job = house.alice.submit()
    house.executor.claim()
    with sdk.running("wait", job["id"]) as program:
        program.hear()
        # A lease lasts 30 s; a worker would have said that it lives.
        time.sleep(after_s)
        house.executor.succeed()
        ended = time.monotonic()
        assert program.hear() == {"status": "succeeded", "outputs": 0}
        late_s = time.monotonic() - ended
    assert late_s < 1
    polls = front.seen("GET", f"/api/v2/jobs/{job['id']}?wait=20")
    assert len(polls) == (1 if after_s < 20 else 2), "each is held for 20 s, not for 30"


def test_waiting_ends_near_its_limit(programs: None, settings: Settings) -> None:
    with opened_house(settings.model_copy(update={"long_poll_s": 1.0})) as house:
        job = house.alice.submit()
        _, limit, took = Sdk(CLIENTS, house.url, house.alice.key).run("wait", job["id"], "1500")
    assert "not terminal after 1500ms" in limit["message"]
    assert 1.5 <= took["took_s"] < 4


def test_a_cancel_of_a_queued_job_is_at_once(house: House, sdk: Sdk) -> None:
    job = house.alice.submit()
    assert sdk.run("cancel", job["id"]) == ["canceled", "canceled"]


def test_a_cancel_of_a_running_job_reaches_its_worker(house: House, sdk: Sdk) -> None:
    job = house.alice.submit()
    house.executor.claim()
    assert sdk.run("cancel", job["id"]) == ["canceling", "canceling"]
    assert house.executor.send().json()["cancel"] is True
    house.executor.succeed()
    assert sdk.run("cancel", job["id"]) == ["canceled", "canceled"]


def test_a_cancel_of_a_finished_job_changes_nothing(house: House, sdk: Sdk) -> None:
    job = house.alice.submit()
    house.executor.claim()
    house.executor.succeed()
    assert sdk.run("cancel", job["id"]) == ["succeeded", "succeeded"]


@pytest.mark.parametrize("after_s", [0.2, 0.3, 0.4, 0.5])
def test_a_cancel_and_an_end_at_once_leave_one_of_the_two(
    house: House, sdk: Sdk, after_s: float
) -> None:
    job = house.alice.submit()
    house.executor.claim()
    ending = threading.Timer(after_s, house.executor.succeed)
    ending.start()
    first, second = sdk.run("cancel", job["id"])
    ending.join()
    end = house.alice.job(job["id"])["status"]
    assert end == ("succeeded" if first == "succeeded" else "canceled")
    assert second in {first, end}
