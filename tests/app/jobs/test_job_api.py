"""Comfy API v2's jobs over HTTP, with an executor at the other end."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.app.conftest import House
from tests.app.front_door import POSTER


def error(reply: httpx.Response) -> dict[str, Any]:
    """The envelope of a refusal."""
    body = reply.json()
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "details"}
    assert reply.headers["x-comfy-request-id"]
    return body["error"]


def test_a_job_goes_all_the_way(house: House) -> None:
    job = house.alice.submit()
    assert job["status"] == "queued"
    ticket = house.executor.claim()
    assert ticket is not None
    assert ticket["job_id"] == job["id"]
    assert ticket["graph"] == POSTER
    asset_id = house.executor.put_output(b"png")
    house.executor.succeed()
    done = house.alice.job(job["id"])
    assert done["status"] == "succeeded"
    assert [(o["id"], o["name"], o["type"]) for o in done["outputs"]] == [
        (asset_id, "a.png", "image")
    ]
    content = house.alice.http.get(f"/assets/{asset_id}/content")
    assert content.content == b"png"
    assert httpx.get(done["outputs"][0]["url"]).content == b"png"


def test_a_success_is_done_whatever_progress_was_kept(house: House) -> None:
    job = house.alice.submit()
    house.executor.claim()
    house.executor.send(progress={"value": 0.2, "nodes_done": 1, "nodes_total": 2, "step": 4})
    house.executor.succeed()
    progress = house.alice.job(job["id"])["progress"]
    assert (progress["value"], progress["nodes_done"], progress["nodes_total"]) == (1, 2, 2)
    assert progress["step"] is None


def test_a_workflow_is_given_back_as_it_is_executed(house: House) -> None:
    job = house.alice.submit()
    reply = house.alice.http.get(f"/jobs/{job['id']}/workflow")
    assert reply.json() == {"workflow": POSTER, "format": "api"}


def test_the_self_link_waits_and_a_bare_get_does_not(house: House) -> None:
    job = house.alice.submit()
    assert job["urls"]["self"].endswith("?wait=20")
    assert house.alice.job(job["id"])["status"] == "queued"
    house.executor.claim()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(httpx.get, house.url + job["urls"]["self"], **auth(house))
        house.executor.succeed()
        assert waiting.result(timeout=5).json()["status"] == "succeeded"


def test_prefer_wait_answers_when_the_hold_has_passed(house: House) -> None:
    job = house.alice.submit()
    reply = house.alice.http.get(f"/jobs/{job['id']}", headers={"Prefer": "wait=1"})
    assert reply.json()["status"] == "queued"


def test_the_same_key_and_body_replay_the_same_job(house: House) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = house.alice.http.post("/jobs", json={"workflow": POSTER}, headers=headers)
    again = house.alice.http.post("/jobs", json={"workflow": POSTER}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json()["id"] == first.json()["id"]
    assert again.headers["idempotent-replayed"] == "true"


def test_the_same_key_with_another_body_is_refused(house: House) -> None:
    headers = {"Idempotency-Key": "k1"}
    first = house.alice.http.post("/jobs", json={"workflow": POSTER}, headers=headers)
    other = {"workflow": POSTER, "priority": 1}
    reply = house.alice.http.post("/jobs", json=other, headers=headers)
    assert reply.status_code == 422
    assert error(reply)["code"] == "idempotency_key_reuse"
    assert error(reply)["details"] == {"job_id": first.json()["id"]}


def test_fifty_equal_requests_at_once_make_one_job(house: House) -> None:
    def post(_: int) -> httpx.Response:
        headers = {"Idempotency-Key": "same"}
        return house.alice.http.post("/jobs", json={"workflow": POSTER}, headers=headers)

    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(post, range(50)))
    assert {r.status_code for r in replies} == {201}
    assert len({r.json()["id"] for r in replies}) == 1


def test_a_refused_request_frees_its_key(house: House) -> None:
    headers = {"Idempotency-Key": "k1"}
    bad = house.alice.http.post("/jobs", json={"workflow": {}}, headers=headers)
    assert bad.status_code == 422
    good = house.alice.http.post("/jobs", json={"workflow": POSTER}, headers=headers)
    assert good.status_code == 201
    assert "idempotent-replayed" not in good.headers


def test_cancel_of_a_queued_job_is_at_once(house: House) -> None:
    job = house.alice.submit()
    reply = house.alice.http.post(f"/jobs/{job['id']}/cancel")
    assert (reply.status_code, reply.json()["status"]) == (200, "canceled")
    assert house.executor.claim() is None


def test_cancel_of_a_running_job_reaches_its_executor(house: House) -> None:
    job = house.alice.submit()
    house.executor.claim()
    assert house.executor.send().json()["cancel"] is False
    reply = house.alice.http.post(f"/jobs/{job['id']}/cancel")
    assert reply.json()["status"] == "canceling"
    assert house.executor.send().json()["cancel"] is True
    house.executor.send({"type": "canceled"})
    assert house.alice.job(job["id"])["status"] == "canceled"


def test_cancel_of_a_finished_job_returns_it_unchanged(house: House) -> None:
    job = house.alice.submit()
    house.executor.claim()
    house.executor.succeed()
    reply = house.alice.http.post(f"/jobs/{job['id']}/cancel")
    assert (reply.status_code, reply.json()["status"]) == (200, "succeeded")


def test_a_success_that_races_a_cancel_is_canceled(house: House) -> None:
    job = house.alice.submit()
    house.executor.claim()
    house.alice.http.post(f"/jobs/{job['id']}/cancel")
    house.executor.succeed()
    assert house.alice.job(job["id"])["status"] == "canceled"


def test_a_failure_says_why(house: House) -> None:
    job = house.alice.submit()
    house.executor.claim()
    failure = {"code": "node_error", "message": "boom", "node_id": "1", "class_type": "Poster"}
    house.executor.send({"type": "failed", "failure": failure})
    done = house.alice.job(job["id"])
    assert done["status"] == "failed"
    assert done["error"] == failure


def test_jobs_are_listed_newest_first_by_label(house: House) -> None:
    ids = [house.alice.submit(metadata={"run": str(i % 2)})["id"] for i in range(5)]
    page = house.alice.http.get("/jobs", params={"metadata[run]": "0", "limit": 2}).json()
    assert [job["id"] for job in page["jobs"]] == [ids[4], ids[2]]
    rest = house.alice.http.get(
        "/jobs", params={"metadata[run]": "0", "limit": 2, "cursor": page["next_cursor"]}
    ).json()
    assert [job["id"] for job in rest["jobs"]] == [ids[0]]
    assert "next_cursor" not in rest


def test_a_cursor_that_is_not_ours_is_refused(house: House) -> None:
    reply = house.alice.http.get("/jobs", params={"cursor": "nonsense!"})
    assert (reply.status_code, error(reply)["code"]) == (400, "invalid_cursor")


def test_a_strangers_job_looks_like_none(house: House) -> None:
    job = house.alice.submit()
    bob = house.caller("bob")
    for method, path in (
        ("GET", ""),
        ("GET", "/workflow"),
        ("GET", "/events"),
        ("POST", "/cancel"),
    ):
        foreign = bob.http.request(method, f"/jobs/{job['id']}{path}")
        absent = bob.http.request(method, f"/jobs/{uuid4()}{path}")
        assert foreign.status_code == absent.status_code == 404, path
        assert foreign.content == absent.content
        assert error(foreign)["code"] == "job_not_found"


@pytest.mark.parametrize("key", ["", "cb_wrong", "cb_" + "a" * 36])
def test_a_wrong_key_is_401_everywhere(house: House, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    for method, path in (
        ("POST", "/jobs"),
        ("GET", "/jobs"),
        ("GET", f"/jobs/{uuid4()}"),
        ("GET", f"/jobs/{uuid4()}/events"),
        ("POST", "/assets"),
        ("GET", f"/assets/{uuid4()}/content"),
    ):
        reply = httpx.request(method, f"{house.url}/api/v2{path}", headers=headers)
        assert reply.status_code == 401, path
        assert error(reply)["code"] == "unauthorized"
    head = httpx.head(f"{house.url}/api/v2/assets/by-hash/blake3:{'0' * 64}", headers=headers)
    assert head.status_code == 401


def test_a_key_of_ours_given_as_a_partner_key_reaches_no_node(house: House) -> None:
    """comfy-cli sends the deployment's key where it has no other."""
    given = {"api_key_comfy_org": house.alice.key, "auth_token_comfy_org": "theirs"}
    house.alice.submit(extra_data=given)
    ticket = house.executor.claim()
    assert ticket is not None
    assert ticket["extra_data"] == {"auth_token_comfy_org": "theirs"}


def test_partner_keys_reach_the_ticket_and_nothing_else(house: House) -> None:
    job = house.alice.submit(extra_data={"api_key_comfy_org": "canary-123"})
    ticket = house.executor.claim()
    assert ticket is not None
    assert ticket["extra_data"] == {"api_key_comfy_org": "canary-123"}
    house.executor.succeed()
    for path in ("", "/workflow"):
        assert "canary" not in house.alice.http.get(f"/jobs/{job['id']}{path}").text
    assert "canary" not in house.alice.http.get("/jobs").text


def auth(house: House) -> dict[str, Any]:
    """Arguments for a bare httpx call of alice."""
    return {"headers": {"Authorization": f"Bearer {house.alice.key}"}, "timeout": 25}
