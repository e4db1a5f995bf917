"""Refusals: one envelope for every route, method and status, and the class the SDK makes of it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from comfy_sdk import Comfy, ComfyError, NotFound, Unauthorized
from starlette.types import Receive, Scope, Send

from app.middleware import Gate
from tests.app.conftest import House
from tests.conformance.python.flavours import Flavour, opened
from tests.conformance.python.graphs import poster

ABSENT = "01970000-0000-7000-8000-000000000000"
METHODS = ("get", "put", "post", "delete", "patch", "head")
PUBLIC = {"/", "/healthz", "/readyz", "/api/v2/health"}


def operations(house: House) -> Iterator[tuple[str, str]]:
    """Method and address of everything our OpenAPI offers."""
    paths: dict[str, Any] = httpx.get(f"{house.url}/openapi.json").json()["paths"]
    for path, methods in paths.items():
        for method in set(methods) & set(METHODS):
            yield method, path.replace("{id}", ABSENT).replace("{hash}", f"blake3:{'0' * 64}")


@pytest.mark.parametrize("key", ["", "cb_wrong", "cb_" + "a" * 36, "eyJhbGciOiJub25lIn0.e30."])
def test_no_operation_answers_without_a_key(house: House, key: str) -> None:
    """v2.24: 401 in the envelope, the stream and HEAD included."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    asked = [(m, p) for m, p in operations(house) if p not in PUBLIC and p.startswith("/api/v2")]
    assert len(asked) >= 12
    for method, path in asked:
        reply = httpx.request(method, house.url + path, headers=headers)
        assert reply.status_code == 401, (method, path)
        assert reply.headers["x-comfy-request-id"]
        assert method == "head" or reply.json()["error"]["code"] == "unauthorized"


def test_the_sdk_says_unauthorized(flavour: Flavour, house: House) -> None:
    """v2.24: for every call that it makes."""
    with opened(flavour, house.url, "cb_wrong") as comfy:
        asset = comfy.assets.from_bytes(b"x", filename="x.png")
        for call in (
            lambda: comfy.submit(poster()),
            lambda: comfy.jobs.get(ABSENT),
            lambda: list(comfy.list_jobs()),
            lambda: comfy.assets.get(ABSENT),
            lambda: comfy.assets.delete(ABSENT),
        ):
            with pytest.raises(Unauthorized) as refused:
                call()
            assert refused.value.request_id
        with pytest.raises(Unauthorized):  # HEAD has no body, the bare status decides
            asset.commit()


def test_what_is_not_there_has_its_class_and_its_request_id(comfy: Comfy) -> None:
    """v2.24: 404 of a job and of an asset."""
    for call in (lambda: comfy.jobs.get(ABSENT), lambda: comfy.assets.get(ABSENT)):
        with pytest.raises(NotFound) as missing:
            call()
        assert missing.value.http_status == 404
        assert missing.value.request_id


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/api/v2/jobs/", 404),
        ("DELETE", "/api/v2/jobs", 405),
        ("PUT", f"/api/v2/jobs/{ABSENT}/cancel", 405),
        ("POST", "/api/v2/jobs", 415),
        ("GET", "/api/v2/jobs?limit=ten", 422),
    ],
)
def test_the_frameworks_own_refusals_are_envelopes(
    house: House, method: str, path: str, status: int
) -> None:
    """v2.24: 404, 405, 415 and 422; 413 and 416 stand with bad input and outputs."""
    reply = house.alice.http.request(method, house.url + path)
    assert reply.status_code == status
    assert set(reply.json()["error"]) == {"code", "message", "details"}
    assert "error_type" not in reply.json(), "the SDK would take it for another service"
    assert reply.headers["x-comfy-request-id"]


async def test_a_bug_of_ours_is_an_envelope_too() -> None:
    """v2.24: 500, without a word of what went wrong."""

    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("a secret detail")

    gate = Gate(broken, frozenset({"localhost"}), frozenset())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(gate), base_url="http://localhost"
    ) as client:
        reply = await client.get("/api/v2/jobs")
    assert (reply.status_code, reply.json()["error"]["code"]) == (500, "upstream_error")
    assert "secret" not in reply.text
    assert reply.headers["x-comfy-request-id"]


def test_a_code_that_the_sdk_does_not_know_is_readable(comfy: Comfy) -> None:
    """v2.24: code, status and details survive."""
    job = comfy.submit(poster())
    with pytest.raises(ComfyError) as refused:
        comfy.submit(poster(), idempotency_key="k", metadata={"a": "x" * 2_000})
    assert refused.value.code == "invalid_request"
    assert refused.value.details is not None
    job.cancel()
