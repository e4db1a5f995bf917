"""Submitting: one job per key whatever happens on the way, and refusals with the right class."""

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from comfy_sdk import (
    Comfy,
    ComfyError,
    IdempotencyKeyReuse,
    InvalidWorkflow,
    Job,
    MissingAsset,
    Workflow,
    WorkflowFormatUi,
)
from starlette.responses import JSONResponse

from app.config import Settings
from tests.app.conftest import House, opened_house
from tests.app.front_door import POSTER
from tests.conformance.clients.front import Front
from tests.conformance.clients.relay import Relay, listening
from tests.conformance.python.flavours import Flavour, opened
from tests.conformance.python.graphs import inputs_of_the_next_job, poster, reading


@pytest.fixture
def strict(settings: Settings) -> Generator[House]:
    """A front door that takes v2 by the letter: a key is used once."""
    with opened_house(settings.model_copy(update={"idempotency": "reject"})) as house:
        yield house


def job_ids(house: House) -> list[str]:
    """Of all jobs."""
    jobs = house.alice.http.get("/jobs", params={"limit": 100}).json()["jobs"]
    return [job["id"] for job in jobs]


def test_a_key_used_again_gives_the_same_job(comfy: Comfy, house: House) -> None:
    """v2.7: the default replays; other content under the key is named as reuse."""
    first = comfy.submit(poster(), idempotency_key="k1")
    assert comfy.submit(poster(), idempotency_key="k1").id == first.id
    with pytest.raises(IdempotencyKeyReuse) as reused:
        comfy.submit(poster("other"), idempotency_key="k1")
    assert reused.value.details == {"job_id": first.id}
    assert job_ids(house) == [first.id]


def test_a_key_used_again_is_refused_by_the_letter_of_v2(flavour: Flavour, strict: House) -> None:
    """v2.7: 422 with the job's id, one job."""
    with opened(flavour, strict.url, strict.alice.key) as comfy:
        first = comfy.submit(poster(), idempotency_key="k1")
        with pytest.raises(IdempotencyKeyReuse) as reused:
            comfy.submit(poster(), idempotency_key="k1")
    assert (reused.value.http_status, reused.value.details) == (422, {"job_id": first.id})
    assert job_ids(strict) == [first.id]


@pytest.mark.parametrize("mode", ["replay", "reject"])
def test_a_refused_request_leaves_its_key_free(
    flavour: Flavour, settings: Settings, mode: str
) -> None:
    """v2.7: a definite failure releases the key."""
    with (
        opened_house(settings.model_copy(update={"idempotency": mode})) as house,
        opened(flavour, house.url, house.alice.key) as comfy,
    ):
        with pytest.raises(InvalidWorkflow):
            comfy.submit(Workflow({}), idempotency_key="k1")
        job = comfy.submit(poster(), idempotency_key="k1")
        assert job_ids(house) == [job.id]


def at_once(flavour: Flavour, house: House, count: int = 8) -> list[Job | ComfyError]:
    """What equal submissions by so many clients come to."""
    with ExitStack() as clients, ThreadPoolExecutor(count) as pool:
        made = [
            clients.enter_context(opened(flavour, house.url, house.alice.key)) for _ in range(count)
        ]

        def submit(comfy: Comfy) -> Job | ComfyError:
            try:
                return comfy.submit(poster(), idempotency_key="same")
            except ComfyError as error:
                return error

        return list(pool.map(submit, made))


def test_of_equal_submissions_at_once_exactly_one_is_accepted(
    flavour: Flavour, strict: House
) -> None:
    """v2.7: concurrent duplicates, by the letter."""
    results = at_once(flavour, strict)
    refused = [r for r in results if isinstance(r, IdempotencyKeyReuse)]
    assert len(refused) == len(results) - 1
    [job_id] = job_ids(strict)
    assert all(r.details == {"job_id": job_id} for r in refused)


def test_equal_submissions_at_once_are_one_job(flavour: Flavour, house: House) -> None:
    """v2.7: concurrent duplicates, replayed."""
    results = at_once(flavour, house)
    assert [r.id for r in results if not isinstance(r, ComfyError)] == job_ids(house) * len(results)


def full(retry_after: str | None) -> JSONResponse:
    """A full queue's answer."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    body = {"error": {"code": "queue_full", "message": "full", "details": None}}
    return JSONResponse(body, 429, headers)


@pytest.mark.parametrize("retry_after", ["0", "2", None])
@pytest.mark.parametrize("mode", ["replay", "reject"])
def test_a_full_queue_is_retried_with_the_same_key_to_one_job(
    flavour: Flavour, settings: Settings, front: Front, mode: str, retry_after: str | None
) -> None:
    """v2.7, v2.8: what was refused with 429 succeeds under its key."""
    with opened_house(settings.model_copy(update={"idempotency": mode})) as house:
        front.target = house.url
        front.canned[("POST", "/api/v2/jobs")] = [full(retry_after)]
        with opened(flavour, front.url, house.alice.key) as comfy:
            job = comfy.submit(poster())
        assert job_ids(house) == [job.id]
    posts = front.seen("POST")
    assert [e.status for e in posts] == [429, 201]
    assert len({e.headers["idempotency-key"] for e in posts}) == 1


def test_a_429_that_is_no_full_queue_is_retried_only_when_told(comfy: Comfy, front: Front) -> None:
    """v2.8: the SDK looks for an integer Retry-After."""
    body = {"error": {"code": "too_many", "message": "later", "details": None}}
    front.canned[("POST", "/api/v2/jobs")] = [JSONResponse(body, 429)]
    with pytest.raises(ComfyError):
        comfy.submit(poster())
    assert len(front.seen("POST")) == 1


@pytest.mark.parametrize("mode", ["replay", "reject"])
def test_an_answer_that_is_lost_after_the_commit_leaves_one_job_to_find(
    flavour: Flavour, settings: Settings, mode: str
) -> None:
    """v2.9: the client sees an error that carries its key, and with it finds its job."""
    with opened_house(settings.model_copy(update={"idempotency": mode})) as house:
        relay = Relay(urlsplit(house.url).port or 0, cut_after=b"HTTP/1.1 20")
        with (
            listening(relay) as port,
            opened(flavour, f"http://127.0.0.1:{port}", house.alice.key) as comfy,
        ):
            with pytest.raises(httpx.TransportError) as lost:
                comfy.submit(poster())
            assert relay.cuts == 1
            [job_id] = job_ids(house)
            assert [summary.id for summary in comfy.list_jobs()] == [job_id]
            key = getattr(lost.value, "idempotency_key")  # noqa: B009 - stamped on httpx's error
            if mode == "replay":
                assert comfy.submit(poster(), idempotency_key=key).id == job_id
            else:
                with pytest.raises(IdempotencyKeyReuse) as reused:
                    comfy.submit(poster(), idempotency_key=key)
                assert reused.value.details == {"job_id": job_id}
        assert job_ids(house) == [job_id]


def without(node: str, name: str) -> dict[str, Any]:
    """The poster's graph without an input."""
    return {
        **POSTER,
        node: {
            **POSTER[node],
            "inputs": {k: v for k, v in POSTER[node]["inputs"].items() if k != name},
        },
    }


LOOP: dict[str, Any] = {
    "1": {"class_type": "Scale", "inputs": {"image": ["3", 0], "method": "area", "width": 9}},
    "3": {"class_type": "Scale", "inputs": {"image": ["1", 0], "method": "area", "width": 9}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
}


@pytest.mark.parametrize(
    ("graph", "node"),
    [
        pytest.param({}, None, id="empty"),
        pytest.param({"1": {"class_type": "Nope", "inputs": {}}}, "1", id="unknown class"),
        pytest.param(without("2", "images"), "2", id="missing input"),
        pytest.param(LOOP, "1", id="cycle"),
    ],
)
def test_a_graph_that_cannot_run_is_422_before_it_is_queued(
    comfy: Comfy, house: House, graph: dict[str, Any], node: str | None
) -> None:
    """v2.12: one class, and the nodes by name."""
    with pytest.raises(InvalidWorkflow) as refused:
        comfy.submit(Workflow(graph))
    error = refused.value
    assert (error.http_status, error.code) == (422, "invalid_workflow")
    assert error.request_id
    if node:
        assert error.details is not None
        assert node in error.details["node_errors"]
    assert job_ids(house) == []


def test_the_editors_own_format_is_422_with_its_own_class(comfy: Comfy, house: House) -> None:
    """v2.12: by the SDK before it is sent, by us for all others."""
    graph: dict[str, Any] = {"nodes": [], "links": [], "last_node_id": 1, "version": 0.4}
    with pytest.raises(WorkflowFormatUi):
        comfy.submit(Workflow(graph))
    reply = house.alice.http.post("/jobs", json={"workflow": graph})
    assert (reply.status_code, reply.json()["error"]["code"]) == (422, "workflow_format_ui")


def test_a_file_that_is_not_there_is_named(comfy: Comfy, house: House) -> None:
    """v2.13: malformed, foreign, deleted, never uploaded; alone and inside a list."""
    bob = house.caller("bob")
    foreign = bob.upload(b"bob's").json()["id"]
    deleted = comfy.assets.from_bytes(b"gone", filename="gone.png").commit()
    comfy.assets.delete(deleted)
    for asset_id in ("not-an-id", "", foreign, deleted, "01970000-0000-7000-8000-000000000000"):
        handle = {"__type": "core/ASSET", "info": {"id": asset_id}}
        for image in (handle, [handle], {"deep": [[handle]]}):
            with pytest.raises(MissingAsset) as refused:
                comfy.submit(reading(image))
            assert refused.value.http_status == 422
            assert refused.value.details is not None
            assert refused.value.details["missing_ids"] == [asset_id or "(no id)"]
    assert job_ids(house) == []


def test_a_handle_inside_a_list_is_replaced_by_its_file(comfy: Comfy, house: House) -> None:
    """v2.13: at any depth."""
    asset = comfy.assets.from_bytes(b"nested", filename="nested.png")
    graph = poster().json
    graph["1"]["inputs"]["prompt"] = "x"
    graph["3"] = {"class_type": "LoadImage", "inputs": {"image": asset}}
    graph["1"]["inputs"]["image"] = ["3", 0]
    comfy.submit(Workflow(graph))
    assert inputs_of_the_next_job(house) == [b"nested"]
