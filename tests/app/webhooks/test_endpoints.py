"""Endpoints and secrets by HTTP: what is shown, to whom, and what is refused."""

import base64
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psycopg
import pytest

from app.config import Settings
from app.openapi.errors import BY_KEY
from tests.app.conftest import House
from tests.app.front_door import POSTER
from tests.app.openapi.test_wire import fits
from tests.app.webhooks.conftest import Scene

NOBODY = "01a20ed4-faf1-70c7-b872-fe93be959e2f"
FOREIGN_OR_NONE = ("GET", "PATCH", "DELETE", "rotate-secret", "test")


def code(reply: httpx.Response) -> tuple[int, str]:
    return reply.status_code, reply.json()["error"]["code"]


def test_an_endpoint_lives_as_documented(scene: Scene) -> None:
    http, url = scene.caller.http, f"{scene.receiver.url}/a"
    made = http.post("/webhooks/endpoints", json={"url": url, "description": "Posters"})
    fits("postWebhookEndpoint", made)
    endpoint = made.json()
    secret = endpoint.pop("secret")
    assert secret.startswith("whsec_")
    assert (endpoint["url"], endpoint["events"], endpoint["enabled"]) == (url, ["*"], True)
    address = f"/webhooks/endpoints/{endpoint['id']}"
    shown, listed = http.get(address), http.get("/webhooks/endpoints")
    fits("getWebhookEndpoint", shown)
    fits("listWebhookEndpoints", listed)
    assert shown.json() == endpoint
    assert listed.json() == {"endpoints": [endpoint]}
    changed = http.patch(address, json={"events": ["job.failed"], "enabled": False})
    fits("patchWebhookEndpoint", changed)
    for field in ("events", "enabled", "updated_at"):
        assert changed.json()[field] != endpoint[field]
    same = {"id", "url", "description", "created_at", "disabled_reason"}
    assert all(changed.json()[field] == endpoint[field] for field in same)
    deleted = http.delete(address)
    fits("deleteWebhookEndpoint", deleted)
    assert deleted.status_code == 204
    assert code(http.delete(address)) == (404, "endpoint_not_found")
    assert http.get("/webhooks/endpoints").json() == {"endpoints": []}


def test_an_endpoint_of_another_workspace_is_not_there(scene: Scene) -> None:
    endpoint = scene.add_endpoint()
    stranger = scene.house.caller("stranger").http
    for known in (endpoint["id"], NOBODY, "nonsense"):
        address = f"/webhooks/endpoints/{known}"
        replies = [
            stranger.get(address),
            stranger.patch(address, json={"enabled": False}),
            stranger.delete(address),
            stranger.post(f"{address}/rotate-secret"),
            stranger.post(f"{address}/test"),
        ]
        assert {code(reply) for reply in replies} == {(404, "endpoint_not_found")}
    assert stranger.get("/webhooks/endpoints").json() == {"endpoints": []}
    theirs = stranger.get("/webhooks/deliveries", params={"endpoint_id": endpoint["id"]})
    assert theirs.json() == {"deliveries": []}
    assert scene.caller.http.get(f"/webhooks/endpoints/{endpoint['id']}").json()["enabled"]


def test_a_key_that_may_only_read_sees_no_secret(scene: Scene) -> None:
    scene.add_endpoint()
    with psycopg.connect(scene.house.settings.database_url, autocommit=True) as connection:
        connection.execute(
            "update app.api_keys set scopes = '{jobs:read}' where workspace_id = %s",
            (scene.caller.workspace_id,),
        )
    try:
        http = scene.caller.http
        assert http.get("/webhooks/endpoints").status_code == 200
        assert http.get("/webhooks/deliveries").status_code == 200
        assert code(http.get("/webhooks/secret")) == (403, "forbidden")
        assert code(http.post("/webhooks/secret/rotate")) == (403, "forbidden")
        refused = http.post("/webhooks/endpoints", json={"url": scene.receiver.url})
        assert code(refused) == (403, "forbidden")
    finally:
        with psycopg.connect(scene.house.settings.database_url, autocommit=True) as connection:
            connection.execute("update app.api_keys set scopes = '{jobs:read,jobs:write}'")


BAD_URLS = [
    "",
    "nonsense",
    "ftp://example.com/",
    "https://user:password@example.com/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/",
    "https://2130706433/",
    "https://" + "a" * 2_048,
]


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_url_that_is_never_called_is_refused_everywhere(scene: Scene, url: str) -> None:
    endpoint = scene.add_endpoint()
    expected = "invalid_request" if url == "" or len(url) > 2_048 else "invalid_webhook_url"
    http = scene.caller.http
    replies = [
        http.post("/webhooks/endpoints", json={"url": url}),
        http.patch(f"/webhooks/endpoints/{endpoint['id']}", json={"url": url}),
        http.post("/jobs", json={"workflow": POSTER, "webhook_url": url}),
    ]
    assert {code(reply) for reply in replies} == {(422, expected)}


def test_without_leave_of_the_operator_no_private_url_is_taken(house: House) -> None:
    assert Settings().allow_private_urls is False
    http = house.alice.http
    for url in ("http://127.0.0.1:9/", "http://localhost/", "https://example.com:8443/"):
        refused = http.post("/webhooks/endpoints", json={"url": url})
        fits("postWebhookEndpoint", refused)
        assert code(refused) == (422, "invalid_webhook_url")
        assert refused.json() == BY_KEY["422 invalid_webhook_url"].envelope()
        job = http.post("/jobs", json={"workflow": POSTER, "webhook_url": url})
        fits("postJobs", job)
        assert code(job) == (422, "invalid_webhook_url")
    assert http.get("/jobs").json()["jobs"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"events": []},
        {"events": ["job.started"]},
        {"events": "*"},
        {"enabled": "yes"},
        {"description": "x" * 501},
        {"secret": "whsec_mine"},
    ],
)
def test_what_an_endpoint_cannot_be_is_refused_by_field(scene: Scene, change: Any) -> None:
    endpoint = scene.add_endpoint()
    http = scene.caller.http
    for reply in (
        http.post("/webhooks/endpoints", json={"url": scene.receiver.url, **change}),
        http.patch(f"/webhooks/endpoints/{endpoint['id']}", json=change),
    ):
        assert code(reply) == (422, "invalid_request")
        [problem, *_] = reply.json()["error"]["details"]["errors"]
        assert problem["field"].split(".")[0] == next(iter(change))


def test_a_workspace_has_twenty_endpoints_at_most_also_when_asked_at_once(scene: Scene) -> None:
    def add(_: int) -> httpx.Response:
        return scene.caller.http.post("/webhooks/endpoints", json={"url": scene.receiver.url})

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(add, range(25)))
    assert sorted(reply.status_code for reply in replies) == [201] * 20 + [409] * 5
    refused = next(reply for reply in replies if reply.status_code == 409)
    fits("postWebhookEndpoint", refused)
    assert code(refused) == (409, "endpoint_limit")
    one = scene.caller.http.get("/webhooks/endpoints").json()["endpoints"][0]
    scene.caller.http.delete(f"/webhooks/endpoints/{one['id']}")
    assert add(0).status_code == 201, "a deleted one makes room"


def rotate_endpoint(scene: Scene) -> tuple[str, Callable[[int | None], dict[str, Any]]]:
    endpoint = scene.add_endpoint()
    address = f"/webhooks/endpoints/{endpoint['id']}/rotate-secret"
    return endpoint["secret"], lambda s: rotated(scene, "rotateWebhookSecret", address, s)


def rotate_own(scene: Scene) -> tuple[str, Callable[[int | None], dict[str, Any]]]:
    shown = scene.caller.http.get("/webhooks/secret")
    fits("getWebhookSecret", shown)
    address = "/webhooks/secret/rotate"
    return shown.json()["secret"], lambda s: rotated(scene, "rotateOwnWebhookSecret", address, s)


def rotated(scene: Scene, operation: str, address: str, overlap_s: int | None) -> dict[str, Any]:
    body = None if overlap_s is None else {"overlap_s": overlap_s}
    reply = scene.caller.http.post(address, json=body)
    fits(operation, reply)
    assert reply.status_code == 200, reply.text
    return reply.json()


@pytest.mark.parametrize("kind", [rotate_endpoint, rotate_own])
def test_while_a_rotation_lasts_both_secrets_verify_and_then_the_new_one(
    scene: Scene, kind: Callable[[Scene], Any]
) -> None:
    old, rotate = kind(scene)
    url = None if kind is rotate_endpoint else f"{scene.receiver.url}/"
    after = rotate(None)
    new = after["secret"]
    assert new != old
    assert after["old_secret_until"] is not None
    scene.run_a_job(webhook_url=url)
    [call] = scene.receiver.wait_for(1)
    assert len(call.headers["webhook-signature"].split(" ")) == 2
    assert call.is_signed_with(old)
    assert call.is_signed_with(new)
    leaked = rotate(0)
    assert leaked["old_secret_until"] is None, "nothing of a secret that has leaked is left"
    scene.run_a_job(webhook_url=url)
    call = scene.receiver.wait_for(2)[1]
    assert [call.is_signed_with(s) for s in (old, new, leaked["secret"])] == [False, False, True]


def test_the_workspaces_secret_is_one_and_can_be_read_again(scene: Scene) -> None:
    scene.run_a_job(webhook_url=scene.receiver.url)
    [call] = scene.receiver.wait_for(1)
    first = scene.caller.http.get("/webhooks/secret").json()
    assert call.is_signed_with(first["secret"])
    assert scene.caller.http.get("/webhooks/secret").json() == first
    other = scene.house.caller("another").http.get("/webhooks/secret").json()
    assert other["secret"] != first["secret"]
    assert scene.caller.http.get("/webhooks/endpoints").json() == {"endpoints": []}


def test_a_forged_or_old_call_is_not_verified(scene: Scene) -> None:
    endpoint = scene.add_endpoint()
    scene.run_a_job()
    [call] = scene.receiver.wait_for(1)
    assert call.is_signed_with(endpoint["secret"])
    for header, value in (("webhook-id", NOBODY), ("webhook-timestamp", "1764000000")):
        genuine = call.headers[header]
        call.headers[header] = value
        assert not call.is_signed_with(endpoint["secret"])
        call.headers[header] = genuine


def test_no_secret_lies_in_the_database(scene: Scene) -> None:
    secrets = [
        scene.add_endpoint()["secret"],
        scene.caller.http.get("/webhooks/secret").json()["secret"],
    ]
    with psycopg.connect(scene.house.settings.database_url) as connection:
        stored = b"".join(
            row[0] for row in connection.execute("select secret from app.webhook_endpoints")
        )
    for secret in secrets:
        assert base64.b64decode(secret.removeprefix("whsec_")) not in stored
        assert secret.encode() not in stored


def test_an_idempotent_repeat_names_the_same_webhook(scene: Scene) -> None:
    body = {"workflow": POSTER, "webhook_url": scene.receiver.url}
    key = {"Idempotency-Key": "one"}
    first = scene.caller.http.post("/jobs", json=body, headers=key)
    again = scene.caller.http.post("/jobs", json=body, headers=key)
    assert again.headers["idempotent-replayed"] == "true"
    other = {**body, "webhook_url": f"{scene.receiver.url}/other"}
    refused = scene.caller.http.post("/jobs", json=other, headers=key)
    assert code(refused) == (422, "idempotency_key_reuse")
    scene.caller.http.post(f"/jobs/{first.json()['id']}/cancel")
    assert [call.path for call in scene.receiver.wait_for(1)] == ["/"]
