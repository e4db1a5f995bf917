"""Every way in which a job can end is told, signed, once; and what a receiver may answer."""

import time
from typing import Any

import httpx
import pytest

from tests.app.conftest import House
from tests.app.webhooks.receiver import Receiver

CRASH = {
    "type": "failed",
    "failure": {"code": "node_error", "message": "It broke.", "node_id": "2"},
}


def add_endpoint(house: House, receiver: Receiver, **changes: Any) -> dict[str, Any]:
    """An endpoint of alice, with its secret."""
    reply = house.alice.http.post("/webhooks/endpoints", json={"url": receiver.url, **changes})
    assert reply.status_code == 201, reply.text
    return reply.json()


def deliveries(house: House, **filters: str) -> list[dict[str, Any]]:
    """What alice sees of them, newest first."""
    reply = house.alice.http.get("/webhooks/deliveries", params=filters)
    assert reply.status_code == 200, reply.text
    return reply.json()["deliveries"]


def settled(house: House, status: str, **filters: str) -> dict[str, Any]:
    """The one delivery, once it stands so."""
    until = time.monotonic() + 15
    while True:
        [delivery] = deliveries(house, **filters)
        if delivery["status"] == status:
            return delivery
        assert time.monotonic() < until, delivery
        time.sleep(0.02)


def test_a_job_that_succeeded_is_told_with_its_outputs(house: House, receiver: Receiver) -> None:
    endpoint = add_endpoint(house, receiver)
    job = house.alice.submit(metadata={"campaign": "7"})
    house.executor.claim()
    asset_id = house.executor.put_output()
    house.executor.succeed()
    [call] = receiver.wait_for(1)
    event = call.verified(endpoint["secret"])
    assert event["type"] == "job.succeeded"
    assert (event["data"]["id"], event["data"]["status"]) == (job["id"], "succeeded")
    assert event["data"]["metadata"] == {"campaign": "7"}
    [output] = event["data"]["outputs"]
    assert output["url"].endswith(f"/api/v2/assets/{asset_id}/content")
    assert "X-Goog" not in call.body.decode(), "no signed URL is stored for days"
    delivery = settled(house, "delivered")
    assert (delivery["id"], delivery["job_id"]) == (call.id, job["id"])
    assert delivery["endpoint_id"] == endpoint["id"]
    [attempt] = delivery["attempts"]
    assert (attempt["status_code"], attempt["reply"], attempt["error"]) == (200, "thanks", None)
    assert attempt["duration_ms"] >= 0


def test_a_link_of_a_payload_leads_to_the_bytes(house: House, receiver: Receiver) -> None:
    house.settings.public_url  # noqa: B018 - the default: the loopback origin
    add_endpoint(house, receiver)
    house.alice.submit()
    house.executor.claim()
    house.executor.put_output(b"the picture")
    house.executor.succeed()
    [call] = receiver.wait_for(1)
    url = httpx.Response(200, content=call.body).json()["data"]["outputs"][0]["url"]
    reply = house.alice.http.get(url)
    assert (reply.status_code, reply.content) == (200, b"the picture")


def end_by_failure(house: House) -> None:
    house.executor.claim()
    house.executor.send(CRASH)


def end_by_cancel_in_the_queue(house: House) -> None:
    [job] = house.alice.http.get("/jobs").json()["jobs"]
    assert house.alice.http.post(f"/jobs/{job['id']}/cancel").json()["status"] == "canceled"


def end_by_cancel_while_it_runs(house: House) -> None:
    house.executor.claim()
    [job] = house.alice.http.get("/jobs").json()["jobs"]
    house.alice.http.post(f"/jobs/{job['id']}/cancel")
    house.executor.send({"type": "canceled"})


def end_by_a_cancel_that_nobody_answers(house: House) -> None:
    house.executor.claim()
    [job] = house.alice.http.get("/jobs").json()["jobs"]
    house.alice.http.post(f"/jobs/{job['id']}/cancel")
    house.sql("update app.jobs set cancel_requested_at = now() - interval '1 hour'")


def end_by_expiry(house: House) -> None:
    house.sql("update app.jobs set start_by = now() - interval '1 second'")


def end_by_the_deadline(house: House) -> None:
    house.executor.claim()
    house.sql("update app.jobs set deadline_at = now() - interval '1 second'")


def end_by_a_killed_worker(house: House) -> None:
    """It says nothing more; its lease passes, and no start is left."""
    house.sql("update app.jobs set max_tries = 1")
    house.executor.claim()
    house.sql("update app.jobs set lease_expires_at = now() - interval '1 hour'")


@pytest.mark.parametrize(
    ("end", "event", "code"),
    [
        (end_by_failure, "job.failed", "node_error"),
        (end_by_cancel_in_the_queue, "job.canceled", None),
        (end_by_cancel_while_it_runs, "job.canceled", None),
        (end_by_a_cancel_that_nobody_answers, "job.canceled", None),
        (end_by_expiry, "job.expired", None),
        (end_by_the_deadline, "job.failed", "deadline"),
        (end_by_a_killed_worker, "job.failed", "poisoned"),
    ],
)
def test_every_end_is_told_to_the_endpoint_and_to_the_url_of_the_job(
    house: House, receiver: Receiver, end: Any, event: str, code: str | None
) -> None:
    endpoint = add_endpoint(house, receiver)
    own = house.alice.http.get("/webhooks/secret").json()["secret"]
    job = house.alice.submit(webhook_url=f"{receiver.url}/of-the-job")
    end(house)
    told = {call.path: call for call in receiver.wait_for(2)}
    assert told.keys() == {"/", "/of-the-job"}
    for path, secret in (("/", endpoint["secret"]), ("/of-the-job", own)):
        verified = told[path].verified(secret)
        assert (verified["type"], verified["data"]["id"]) == (event, job["id"])
        assert (verified["data"]["error"] or {}).get("code") == code
    assert not told["/"].is_signed_with(own), "each receiver has a secret of its own"
    time.sleep(0.3)
    assert len(receiver.calls) == 2
