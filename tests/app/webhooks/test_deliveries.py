"""The list of deliveries, one more attempt by hand, and the test of an endpoint."""

import json
from typing import Any

import httpx
from starlette.responses import Response

from tests.app.openapi.test_wire import fits
from tests.app.webhooks.conftest import Scene

NOBODY = "01a20ed4-faf1-70c7-b872-fe93be959e2f"


def code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]


def test_the_list_is_newest_first_in_pages_that_neither_repeat_nor_skip(scene: Scene) -> None:
    scene.add_endpoint()
    jobs = [scene.run_a_job()["id"] for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params: dict[str, Any] = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = scene.caller.http.get("/webhooks/deliveries", params=params)
        fits("listWebhookDeliveries", page)
        seen += [delivery["job_id"] for delivery in page.json()["deliveries"]]
        cursor = page.json().get("next_cursor")
        if cursor is None:
            break
    assert seen == jobs[::-1]
    for bad in ("x", "AAAA", "!"):
        reply = scene.caller.http.get("/webhooks/deliveries", params={"cursor": bad})
        assert code(reply) == (400, "invalid_cursor")


def test_filters_must_all_match(scene: Scene) -> None:
    good = scene.add_endpoint(events=["job.succeeded"])
    scene.receiver.answer = lambda call: Response(status_code=500 if call.path == "/bad" else 200)
    bad = scene.add_endpoint(url=f"{scene.receiver.url}/bad")
    job = scene.run_a_job(webhook_url=f"{scene.receiver.url}/job")
    scene.receiver.wait_for(3)
    scene.settled("delivered", endpoint_id=good["id"])
    assert {d["endpoint_id"] for d in scene.deliveries(job_id=job["id"])} == {
        good["id"],
        bad["id"],
        None,
    }
    assert [d["endpoint_id"] for d in scene.deliveries(status="pending")] == [bad["id"]]
    assert scene.deliveries(status="pending", endpoint_id=good["id"]) == []
    assert scene.deliveries(event="job.failed") == []
    assert scene.deliveries(job_id=NOBODY) == []
    for params in ({"status": "lost"}, {"event": "job.started"}, {"job_id": "x"}, {"limit": 0}):
        reply = scene.caller.http.get("/webhooks/deliveries", params=params)
        assert code(reply) == (422, "invalid_request")


def test_a_delivery_is_made_again_by_hand_with_the_same_id_and_body(scene: Scene) -> None:
    endpoint = scene.add_endpoint()
    scene.run_a_job()
    delivery = scene.settled("delivered")
    address = f"/webhooks/deliveries/{delivery['id']}"
    shown = scene.caller.http.get(address)
    fits("getWebhookDelivery", shown)
    assert shown.json() == delivery
    again = scene.caller.http.post(f"{address}/redeliver")
    fits("redeliverWebhook", again)
    assert again.status_code == 202
    first, second = scene.receiver.wait_for(2)
    assert (first.id, first.body) == (second.id, second.body)
    assert second.is_signed_with(endpoint["secret"])
    assert len(scene.settled("delivered")["attempts"]) == 2


def test_a_delivery_to_a_disabled_endpoint_waits_until_it_is_enabled(scene: Scene) -> None:
    scene.receiver.answer = lambda _call: Response(status_code=410)
    endpoint = scene.add_endpoint()
    scene.run_a_job()
    delivery = scene.settled("dropped")
    address = f"/webhooks/endpoints/{endpoint['id']}"
    disabled = scene.caller.http.get(address).json()
    assert (disabled["enabled"], disabled["disabled_reason"]) == (False, "gone")
    again = f"/webhooks/deliveries/{delivery['id']}/redeliver"
    refused = scene.caller.http.post(again)
    fits("redeliverWebhook", refused)
    assert code(refused) == (409, "endpoint_disabled")
    scene.receiver.answer = lambda _call: Response()
    enabled = scene.caller.http.patch(address, json={"enabled": True}).json()
    assert (enabled["enabled"], enabled["disabled_reason"]) == (True, None)
    assert scene.caller.http.post(again).status_code == 202
    scene.settled("delivered")
    scene.caller.http.delete(address)
    assert code(scene.caller.http.post(again)) == (409, "endpoint_disabled")
    assert len(scene.deliveries()) == 1, "its deliveries stay in the list"


def test_what_waits_goes_to_the_new_url(scene: Scene) -> None:
    scene.receiver.answer = lambda call: Response(status_code=404 if call.path == "/typo" else 200)
    endpoint = scene.add_endpoint(url=f"{scene.receiver.url}/typo")
    scene.run_a_job()
    scene.receiver.wait_for(1)
    address = f"/webhooks/endpoints/{endpoint['id']}"
    scene.caller.http.patch(address, json={"url": f"{scene.receiver.url}/right"})
    delivery = scene.settled("pending")
    scene.caller.http.post(f"/webhooks/deliveries/{delivery['id']}/redeliver")
    assert [call.path for call in scene.receiver.wait_for(2)] == ["/typo", "/right"]
    scene.settled("delivered")


def test_attempts_by_hand_are_bounded(scene: Scene) -> None:
    scene.add_endpoint()
    scene.run_a_job()
    delivery = scene.settled("delivered")
    scene.house.sql("update app.webhook_deliveries set tries = 30 where status = 'delivered'")
    refused = scene.caller.http.post(f"/webhooks/deliveries/{delivery['id']}/redeliver")
    fits("redeliverWebhook", refused)
    assert code(refused) == (409, "attempts_used")


def test_a_delivery_that_is_not_there_or_anothers_is_one_answer(scene: Scene) -> None:
    scene.add_endpoint()
    scene.run_a_job()
    delivery = scene.settled("delivered")
    stranger = scene.house.caller("passer-by").http
    for known in (delivery["id"], NOBODY, "nonsense"):
        for reply in (
            stranger.get(f"/webhooks/deliveries/{known}"),
            stranger.post(f"/webhooks/deliveries/{known}/redeliver"),
        ):
            assert code(reply) == (404, "delivery_not_found")
    assert len(scene.receiver.calls) == 1


def test_a_test_is_sent_once_signed_and_also_to_a_disabled_endpoint(scene: Scene) -> None:
    endpoint = scene.add_endpoint(enabled=False)
    address = f"/webhooks/endpoints/{endpoint['id']}/test"
    reply = scene.caller.http.post(address)
    fits("testWebhookEndpoint", reply)
    assert reply.status_code == 202
    [call] = scene.receiver.wait_for(1)
    event = call.verified(endpoint["secret"])
    assert event["type"] == "webhook.test"
    assert event["data"]["endpoint_id"] == endpoint["id"]
    assert scene.settled("delivered")["event"] == "webhook.test"
    scene.receiver.answer = lambda _call: Response("no", 500)
    scene.caller.http.post(address)
    scene.receiver.wait_for(2)
    failed = scene.settled("exhausted", status="exhausted")
    assert failed["attempts"][0]["reply"] == "no"
    shown = scene.caller.http.get(f"/webhooks/endpoints/{endpoint['id']}").json()
    assert shown["disabled_reason"] is None, "a test disables nothing"


def test_tests_are_bounded_in_a_minute(scene: Scene) -> None:
    endpoint = scene.add_endpoint()
    address = f"/webhooks/endpoints/{endpoint['id']}/test"
    replies = [scene.caller.http.post(address) for _ in range(11)]
    assert [reply.status_code for reply in replies] == [202] * 10 + [429]
    fits("testWebhookEndpoint", replies[-1])
    assert code(replies[-1]) == (429, "test_limit")
    assert replies[-1].headers["retry-after"] == "60"
    calls = scene.receiver.wait_for(10)
    assert all(json.loads(call.body)["type"] == "webhook.test" for call in calls)
