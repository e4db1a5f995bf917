"""What a running front door answers is what the contract says: schemas, examples and errors."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from app.openapi.errors import BY_KEY
from app.openapi.examples import example
from tests.app.conftest import House
from tests.app.front_door import POSTER
from tests.app.openapi.contract import by_id, errors_of, resolved, shape

KEY = {"Idempotency-Key": "3f0c5a8e-6c0b-4d43-9a3e-9b1b6f8f0d11"}
NOBODY = "01a20ed4-faf1-70c7-b872-fe93be959e2f"
NO_BYTES = "blake3:" + "0" * 64


def fits(operation: str, reply: httpx.Response) -> None:
    """The status is documented, the body fits its schema, and the headers are told of."""
    documented = by_id()[operation]["responses"]
    assert str(reply.status_code) in documented, reply.text
    response = resolved(documented[str(reply.status_code)])
    content = response.get("content", {}).get("application/json")
    if content:
        assert errors_of(content["schema"], reply.json()) == []
    for name in ("Idempotent-Replayed", "Preference-Applied", "Retry-After", "ETag"):
        assert (name in reply.headers) <= (name in response["headers"]), name


def test_a_job_is_shown_as_documented_at_every_stage(house: House) -> None:
    jobs = house.alice.http
    recorded = jobs.post("/jobs", json={"workflow": POSTER, "metadata": {"campaign": "7"}})
    fits("postJobs", recorded)
    assert shape(recorded.json()) == shape(
        example("job_queued") | {"metadata": {"campaign": ""}, "tags": []}
    )
    house.executor.claim()
    house.executor.send(progress={"value": 0.5, "nodes_done": 1, "nodes_total": 2})
    house.executor.send({"type": "log", "level": "info", "message": "Fetched 1 inputs, 0.0 MB."})
    house.executor.put_output()
    running = jobs.get(f"/jobs/{recorded.json()['id']}")
    fits("getJob", running)
    house.executor.succeed()
    job = recorded.json()["id"]
    ended = jobs.get(f"/jobs/{job}")
    fits("getJob", ended)
    assert _kinds(ended.json()) == _kinds(example("job_succeeded"))
    for operation, path, shown in (
        ("listJobs", "/jobs?metadata[campaign]=7", "job_page"),
        ("getJobWorkflow", f"/jobs/{job}/workflow", "job_workflow"),
        ("getJobLogs", f"/jobs/{job}/logs", "job_log"),
    ):
        reply = jobs.get(path)
        fits(operation, reply)
        assert reply.json().keys() <= example(shown).keys()
    fits("cancelJob", jobs.post(f"/jobs/{job}/cancel"))
    stream = jobs.get(f"/jobs/{job}/events")
    assert stream.headers["content-type"].startswith("text/event-stream")


def _kinds(job: dict[str, Any]) -> Any:
    """The shape of a job whose every part is there, but for what depends on the run."""
    kept = {name: job[name] for name in job if name not in {"metadata", "tags", "progress"}}
    kept["progress"] = sorted(job["progress"])
    [output] = job["outputs"]
    return shape(kept | {"outputs": [output | {"hash": ""}]})


def test_a_failed_job_is_shown_as_documented(house: House) -> None:
    job = house.alice.submit()["id"]
    house.executor.claim()
    failure = {
        name: example("job_failed")["error"][name] for name in ("code", "message", "node_id")
    }
    house.executor.send({"type": "failed", "failure": failure})
    reply = house.alice.http.get(f"/jobs/{job}")
    fits("getJob", reply)
    assert reply.json()["error"] == failure  # what is not known is absent, not null


def test_a_replay_and_a_wait_say_so_in_documented_headers(house: House) -> None:
    jobs = house.alice.http
    jobs.post("/jobs", json={"workflow": POSTER}, headers=KEY)
    again = jobs.post("/jobs", json={"workflow": POSTER}, headers={**KEY, "Prefer": "wait=1"})
    fits("postJobs", again)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["preference-applied"] == "wait=1"


def test_an_asset_is_shown_as_documented(house: House) -> None:
    assets = house.alice.http
    first = house.alice.upload(b"bytes", tags=["input"])
    assert first.status_code == 201
    fits("postAssets", first)
    assert shape(first.json()) == shape(example("asset_uploaded"))
    known = house.alice.upload(b"bytes", "again.png")
    assert known.status_code == 200
    fits("postAssets", known)
    minted = assets.post("/assets/from-hash", json={"hash": first.json()["hash"]})
    fits("assetFromHash", minted)
    assert shape(minted.json()) == shape(example("asset_from_hash"))
    address = f"/assets/{first.json()['id']}"
    fits("getAsset", assets.get(address))
    assert shape(assets.get(address).json()) == shape(example("asset"))
    fits("headAssetByHash", assets.head(f"/assets/by-hash/{first.json()['hash']}"))
    for headers in ({}, {"Range": "bytes=0-1"}, {"Range": "bytes=9-"}):
        fits("getAssetContent", assets.get(f"{address}/content", headers=headers))
        fits("headAssetContent", assets.head(f"{address}/content", headers=headers))
    etag = assets.get(f"{address}/content").headers["etag"]
    fits("getAssetContent", assets.get(f"{address}/content", headers={"If-None-Match": etag}))
    fits("deleteAsset", assets.delete(address))


def test_health_is_shown_as_documented(house: House) -> None:
    for operation, path, shown in (
        ("getHealth", "/api/v2/health", "health"),
        ("getLiveness", "/healthz", "alive"),
        ("getReadiness", "/readyz", "ready"),
    ):
        reply = httpx.get(house.url + path)
        fits(operation, reply)
        assert shape(reply.json()) == shape(example(shown))


Call = Callable[[httpx.Client], httpx.Response]


def _post(body: Any, **headers: str) -> Call:
    return lambda http: http.post("/jobs", json=body, headers=headers)


REFUSED: list[tuple[str, str, Call]] = [
    ("400 bad_host", "listJobs", lambda h: h.get("/jobs", headers={"Host": "evil.test"})),
    ("400 invalid_request", "postJobs", _post({"workflow": POSTER}, **{"Idempotency-Key": "k" * 256})),
    ("400 invalid_cursor", "listJobs", lambda h: h.get("/jobs?cursor=x")),
    ("400 invalid_cursor", "getEvents", lambda h: h.get("/events?cursor=x")),
    ("400 invalid_metadata_filter", "listJobs", lambda h: h.get("/jobs?metadata[a%00]=1")),
    ("401 unauthorized", "getJob", lambda h: h.get(f"/jobs/{NOBODY}", headers={"Authorization": ""})),
    ("403 foreign_origin", "postJobs", _post({}, Origin="https://evil.test")),
    ("404 job_not_found", "getJob", lambda h: h.get(f"/jobs/{NOBODY}")),
    ("404 job_not_found", "getJobLogs", lambda h: h.get(f"/jobs/{NOBODY}/logs")),
    ("404 asset_not_found", "getAsset", lambda h: h.get(f"/assets/{NOBODY}")),
    ("404 blob_not_found", "assetFromHash", lambda h: h.post("/assets/from-hash", json={"hash": NO_BYTES})),
    ("413 payload_too_large", "postJobs", lambda h: h.post("/jobs", content=b" " * 10_000_001, headers={"Content-Type": "application/json"})),
    ("415 unsupported_media_type", "postJobs", lambda h: h.post("/jobs", content=b"{}", headers={"Content-Type": "text/plain"})),
    ("422 invalid_json", "postJobs", lambda h: h.post("/jobs", content=b"{nope", headers={"Content-Type": "application/json"})),
    ("422 invalid_request", "postJobs", _post({"workflow": POSTER, "priority": 101})),
    ("422 invalid_workflow", "postJobs", _post({"workflow": {**POSTER, "2": {"class_type": "SaveImage", "inputs": {"filename_prefix": "p"}}}})),
    ("422 workflow_format_ui", "postJobs", _post({"workflow": {"nodes": [], "links": []}, "environment": "video"})),
    ("422 backend_unavailable", "postJobs", _post({"workflow": POSTER, "environment": "video"})),
    ("422 invalid_hash", "assetFromHash", lambda h: h.post("/assets/from-hash", json={"hash": "md5:1"})),
]  # fmt: skip


@pytest.mark.parametrize(("key", "operation", "call"), REFUSED)
def test_a_refusal_is_sent_as_it_is_shown(
    house: House, key: str, operation: str, call: Call
) -> None:
    reply = call(house.alice.http)
    fits(operation, reply)
    assert reply.status_code == BY_KEY[key].status
    assert reply.json() == BY_KEY[key].envelope()


def test_a_missing_file_is_refused_as_it_is_shown(house: House) -> None:
    shown = BY_KEY["422 missing_asset"].envelope()
    [asset_id] = shown["error"]["details"]["missing_ids"]
    image = {"__type": "core/ASSET", "info": {"id": asset_id}}
    workflow = {"1": {"class_type": "LoadImage", "inputs": {"image": image}}}
    reply = house.alice.http.post("/jobs", json={"workflow": workflow})
    fits("postJobs", reply)
    assert reply.json() == shown


def test_a_key_that_was_used_is_refused_as_it_is_shown(house: House) -> None:
    job = house.alice.http.post("/jobs", json={"workflow": POSTER}, headers=KEY).json()
    other = {"workflow": POSTER, "priority": 1}
    reply = house.alice.http.post("/jobs", json=other, headers=KEY)
    fits("postJobs", reply)
    shown = BY_KEY["422 idempotency_key_reuse"].envelope()
    shown["error"]["details"] = {"job_id": job["id"]}
    assert reply.json() == shown


def test_what_no_operation_answers_is_still_the_envelope(house: House) -> None:
    for key, reply in (
        ("404 not_found", httpx.get(f"{house.url}/api/v2/nothing")),
        ("405 method_not_allowed", httpx.patch(f"{house.url}/api/v2/jobs")),
    ):
        assert reply.json() == BY_KEY[key].envelope()
