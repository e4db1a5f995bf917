"""Every way in which a job can end is told: signed, once, to the endpoint and to the job's own URL."""

import json
import time
from collections.abc import Callable

import pytest

from tests.app.webhooks.conftest import Scene

CRASH = {
    "type": "failed",
    "failure": {"code": "node_error", "message": "It broke.", "node_id": "2"},
}


def test_a_job_that_succeeded_is_told_with_its_outputs(scene: Scene) -> None:
    endpoint = scene.add_endpoint()
    job = scene.caller.submit(metadata={"campaign": "7"})
    scene.house.executor.claim()
    asset_id = scene.house.executor.put_output(b"the picture")
    scene.house.executor.succeed()
    [call] = scene.receiver.wait_for(1)
    event = call.verified(endpoint["secret"])
    assert event["type"] == "job.succeeded"
    assert (event["data"]["id"], event["data"]["status"]) == (job["id"], "succeeded")
    assert event["data"]["metadata"] == {"campaign": "7"}
    [output] = event["data"]["outputs"]
    assert output["url"].endswith(f"/api/v2/assets/{asset_id}/content")
    assert "X-Goog" not in call.body.decode(), "what is stored for days carries no signed URL"
    bytes_of_it = scene.caller.http.get(output["url"])
    assert (bytes_of_it.status_code, bytes_of_it.content) == (200, b"the picture")
    delivery = scene.settled("delivered")
    assert (delivery["id"], delivery["job_id"]) == (call.id, job["id"])
    assert delivery["endpoint_id"] == endpoint["id"]
    [attempt] = delivery["attempts"]
    assert (attempt["status_code"], attempt["reply"], attempt["error"]) == (200, "thanks", None)


def test_a_call_has_the_headers_of_the_standard(scene: Scene) -> None:
    scene.add_endpoint()
    scene.run_a_job()
    [call] = scene.receiver.wait_for(1)
    assert call.headers["content-type"] == "application/json"
    assert call.headers["user-agent"] == "Comfyburst"
    assert abs(int(call.headers["webhook-timestamp"]) - time.time()) < 60
    assert call.headers["webhook-signature"].startswith("v1,")
    assert json.loads(call.body).keys() == {"type", "timestamp", "data"}
    assert len(call.body) < 20_000


def end_by_failure(scene: Scene, _job: str) -> None:
    scene.house.executor.claim()
    scene.house.executor.send(CRASH)


def end_by_cancel_in_the_queue(scene: Scene, job: str) -> None:
    assert scene.caller.http.post(f"/jobs/{job}/cancel").json()["status"] == "canceled"


def end_by_cancel_while_it_runs(scene: Scene, job: str) -> None:
    scene.house.executor.claim()
    scene.caller.http.post(f"/jobs/{job}/cancel")
    scene.house.executor.send({"type": "canceled"})


def end_by_a_cancel_that_nobody_answers(scene: Scene, job: str) -> None:
    scene.house.executor.claim()
    scene.caller.http.post(f"/jobs/{job}/cancel")
    scene.house.sql(
        "update app.jobs set cancel_requested_at = now() - interval '1 hour' where ended_at is null"
    )


def end_by_expiry(scene: Scene, _job: str) -> None:
    scene.house.sql("update app.jobs set start_by = now() where ended_at is null")


def end_by_the_deadline(scene: Scene, _job: str) -> None:
    scene.house.executor.claim()
    scene.house.sql("update app.jobs set deadline_at = now() where ended_at is null")


def end_by_a_killed_worker(scene: Scene, _job: str) -> None:
    """It says nothing more; its lease passes, and no start is left."""
    scene.house.sql("update app.jobs set max_tries = 1 where ended_at is null")
    scene.house.executor.claim()
    scene.house.sql(
        "update app.jobs set lease_expires_at = now() - interval '1 hour' where ended_at is null"
    )


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
    scene: Scene, end: Callable[[Scene, str], None], event: str, code: str | None
) -> None:
    endpoint = scene.add_endpoint()
    own = scene.caller.http.get("/webhooks/secret").json()["secret"]
    job = scene.caller.submit(webhook_url=f"{scene.receiver.url}/of-the-job")
    end(scene, job["id"])
    told = {call.path: call for call in scene.receiver.wait_for(2)}
    assert told.keys() == {"/", "/of-the-job"}
    for path, secret in (("/", endpoint["secret"]), ("/of-the-job", own)):
        verified = told[path].verified(secret)
        assert (verified["type"], verified["data"]["id"]) == (event, job["id"])
        assert (verified["data"]["error"] or {}).get("code") == code
    assert not told["/"].is_signed_with(own), "each receiver has a secret of its own"
    time.sleep(0.3)
    assert len(scene.receiver.calls) == 2


def test_an_endpoint_is_told_of_what_it_asked_for(scene: Scene) -> None:
    scene.add_endpoint(events=["job.failed", "job.canceled"])
    scene.run_a_job()
    job = scene.caller.submit()
    end_by_cancel_in_the_queue(scene, job["id"])
    [call] = scene.receiver.wait_for(1)
    assert json.loads(call.body)["type"] == "job.canceled"
    assert [d["event"] for d in scene.deliveries()] == ["job.canceled"]


def test_nothing_is_recorded_where_nobody_wants_to_know(scene: Scene) -> None:
    endpoint = scene.add_endpoint(enabled=False)
    scene.run_a_job()
    assert scene.deliveries() == []
    scene.caller.http.delete(f"/webhooks/endpoints/{endpoint['id']}")
    scene.run_a_job()
    assert scene.deliveries() == []
    assert scene.receiver.calls == []


def test_a_workspace_hears_nothing_of_another(scene: Scene) -> None:
    scene.add_endpoint()
    other = scene.house.caller("somebody-else")
    other.submit(webhook_url=f"{scene.receiver.url}/theirs")
    scene.house.executor.claim()
    scene.house.executor.succeed()
    [call] = scene.receiver.wait_for(1)
    assert call.path == "/theirs"
    assert scene.deliveries() == []
    [theirs] = other.http.get("/webhooks/deliveries").json()["deliveries"]
    mine = scene.caller.http.get(f"/webhooks/deliveries/{theirs['id']}")
    assert (mine.status_code, mine.json()["error"]["code"]) == (404, "delivery_not_found")


def test_a_retried_job_tells_the_same_url(scene: Scene) -> None:
    job = scene.run_a_job(webhook_url=scene.receiver.url)
    scene.receiver.wait_for(1)
    again = scene.caller.http.post(f"/jobs/{job['id']}/retry").json()
    scene.house.executor.claim()
    scene.house.executor.succeed()
    calls = scene.receiver.wait_for(2)
    assert [json.loads(c.body)["data"]["id"] for c in calls] == [job["id"], again["id"]]


def test_attempts_are_counted(scene: Scene) -> None:
    scene.add_endpoint()
    scene.run_a_job()
    scene.settled("delivered")
    text = scene.caller.http.get(f"{scene.house.url}/metrics").text
    assert 'comfyburst_webhook_attempts_total{status="delivered"}' in text
    assert "comfyburst_webhook_attempt_seconds_count" in text
