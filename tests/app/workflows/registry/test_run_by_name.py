"""`POST /jobs` with a name: inputs, versions that are pinned, dry runs, statements that it costs."""

from typing import Any

import httpx
import pytest

from app.jobs.tokens import WorkerGrant
from tests.app.front_door import POSTER
from tests.app.workflows.registry.conftest import Author, changed, code_of
from tests.app.workflows.registry.test_registry_api import EDITORS


def test_a_job_pins_the_version_and_shows_what_it_was_given(author: Author) -> None:
    author.push()
    job = author.run("poster", {"prompt": "hi", "seed": "random"})
    assert job["workflow"] == {"name": "poster", "version": 1}
    assert job["inputs"]["prompt"] == "hi"
    assert isinstance(job["inputs"]["seed"], int)
    graph = author.graph(job["id"])
    assert graph["1"]["inputs"]["prompt"] == "hi"
    assert graph["1"]["inputs"]["seed"] == job["inputs"]["seed"]
    author.push(changed(POSTER, "1", prompt="later"))
    seen = author.caller.job(job["id"])
    assert (seen["workflow"], seen["inputs"]) == (job["workflow"], job["inputs"])
    [listed] = author.get("/jobs")["jobs"]
    assert (listed["workflow"], listed["inputs"]) == (job["workflow"], job["inputs"])


def test_a_job_of_a_graph_has_neither(author: Author) -> None:
    job = author.caller.submit()
    assert (job["workflow"], job["inputs"]) == (None, None)
    assert author.caller.job(job["id"])["workflow"] is None


def test_old_and_new_versions_run_side_by_side(author: Author) -> None:
    author.push()
    author.bind(inputs={"prompt": {"name": "text"}})
    old = author.run("poster@1", {"prompt": "old"})
    new = author.run("poster@2", {"text": "new"})
    assert author.graph(old["id"])["1"]["inputs"]["prompt"] == "old"
    assert author.graph(new["id"])["1"]["inputs"]["prompt"] == "new"
    assert code_of(author.try_run("poster@2", {"prompt": "x"})) == "422 invalid_inputs"


def test_everything_wrong_with_inputs_is_said_at_once_by_name(author: Author) -> None:
    author.push()
    author.bind(inputs={"prompt": {"required": True, "default": None}})
    reply = author.try_run("poster", {"seed": "lots", "promt": "x"})
    assert code_of(reply) == "422 invalid_inputs"
    errors = {each["field"]: each["reason"] for each in reply.json()["error"]["details"]["errors"]}
    assert errors.keys() == {"seed", "promt", "prompt"}
    assert errors["promt"] == "unknown_input"
    assert errors["prompt"] == "missing_input"


def test_a_file_that_is_not_there_is_named_by_its_input(author: Author) -> None:
    flow = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "photo.png"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "p"}},
    }
    author.push(flow, name="copy")
    reply = author.try_run("copy", {"image": "absent.png"})
    assert code_of(reply) == "422 missing_asset"
    [problem] = reply.json()["error"]["details"]["node_errors"]["1"]
    assert (problem["field"], problem["input"]) == ("image", "image")
    asset = author.caller.upload(b"png").json()
    handle = {"__type": "core/ASSET", "info": {"id": asset["id"]}}
    for value in (handle, "photo.png"):
        job = author.run("copy", {"image": value})
        assert author.graph(job["id"])["1"]["inputs"]["image"].endswith("photo.png")


def test_the_official_sdks_form_runs_a_name(author: Author) -> None:
    author.push()
    body = {"workflow": {"name": "poster@1", "inputs": {"prompt": "hi"}}}
    job = author.http.post("/jobs", json=body).json()
    assert (job["workflow"]["version"], job["inputs"]["prompt"]) == (1, "hi")


@pytest.mark.parametrize(
    "workflow", ["", "A", "a@", "a@0", "a@-1", "a@1.5", "a@@b", "a b", 5, None, []]
)
def test_what_is_no_reference_is_refused_by_field(author: Author, workflow: Any) -> None:
    reply = author.http.post("/jobs", json={"workflow": workflow})
    assert code_of(reply) == "422 invalid_request"
    [error] = reply.json()["error"]["details"]["errors"]
    assert error["field"] == "workflow"


def test_a_graph_takes_no_inputs(author: Author) -> None:
    reply = author.http.post("/jobs", json={"workflow": POSTER, "inputs": {"prompt": "x"}})
    assert code_of(reply) == "422 invalid_request"


def test_the_editors_file_runs_as_it_is(author: Author) -> None:
    job = author.caller.submit(EDITORS)
    assert author.graph(job["id"])["1"]["inputs"] == {"prompt": "from the editor", "seed": 7}


def test_a_key_covers_the_reference_and_the_inputs(author: Author) -> None:
    author.push()
    author.http.put("/workflows/poster/aliases/prod", json={"version": "1"})
    headers = {"Idempotency-Key": "k"}

    def submit(workflow: str, inputs: dict[str, Any]) -> httpx.Response:
        body = {"workflow": workflow, "inputs": inputs}
        return author.http.post("/jobs", json=body, headers=headers)

    first = submit("poster@prod", {"prompt": "a", "seed": "random"})
    author.push(changed(POSTER, "1", prompt="later"))
    author.http.put("/workflows/poster/aliases/prod", json={"version": "2"})
    again = submit("poster@prod", {"prompt": "a", "seed": "random"})
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert again.json()["inputs"] == first.json()["inputs"]
    assert code_of(submit("poster@prod", {"prompt": "b"})) == "422 idempotency_key_reuse"
    assert code_of(submit("poster@1", {"prompt": "a", "seed": "random"})) == (
        "422 idempotency_key_reuse"
    )


def test_a_version_says_where_it_runs_unless_the_caller_does(author: Author) -> None:
    video = author.house.worker(WorkerGrant(workspaces=None, environments=["video"], slots=1))
    video.environment = "video"
    video.register()
    author.push(environment="video")
    assert author.run("poster")["environment"] == "video"
    assert author.run("poster", environment="local")["environment"] == "local"
    headers = {"Idempotency-Key": "k"}
    first = author.http.post("/jobs", json={"workflow": "poster"}, headers=headers)
    assert first.status_code == 201
    body = {"workflow": "poster", "environment": "local"}
    assert code_of(author.http.post("/jobs", json=body, headers=headers)) == (
        "422 idempotency_key_reuse"
    )


def test_a_replay_is_answered_whatever_became_of_the_workflow(author: Author) -> None:
    author.push()
    headers = {"Idempotency-Key": "k"}
    first = author.http.post("/jobs", json={"workflow": "poster"}, headers=headers)
    author.http.post("/workflows/poster/archive")
    again = author.http.post("/jobs", json={"workflow": "poster"}, headers=headers)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert code_of(author.try_run("poster")) == "409 workflow_archived"


def test_a_retry_keeps_version_and_inputs(author: Author) -> None:
    author.push()
    job = author.run("poster", {"seed": "random"})
    author.http.post(f"/jobs/{job['id']}/cancel")
    author.push(changed(POSTER, "1", prompt="later"))
    retried = author.http.post(f"/jobs/{job['id']}/retry").json()
    assert (retried["workflow"], retried["inputs"]) == (job["workflow"], job["inputs"])
    assert author.graph(retried["id"]) == author.graph(job["id"])


def test_a_dry_run_says_what_a_submit_would_and_records_nothing(author: Author) -> None:
    author.push()
    would = author.http.post("/jobs?dry_run=true", json={"workflow": "poster"})
    assert would.status_code == 200
    assert would.json()["valid"] is True
    assert would.json()["workflow"] == {"name": "poster", "version": 1}
    assert would.json()["backend"] == "local"
    refused = author.http.post(
        "/jobs?dry_run=true", json={"workflow": "poster", "inputs": {"x": 1}}
    )
    assert code_of(refused) == "422 invalid_inputs"
    assert author.get("/jobs")["jobs"] == []


def test_jobs_are_found_by_workflow(author: Author) -> None:
    author.push()
    first = author.run("poster")["id"]
    author.push(changed(POSTER, "1", prompt="b"))
    second = author.run("poster")["id"]
    author.caller.submit()
    author.push(name="other")
    author.run("other")

    def found(workflow: str) -> list[str]:
        return [job["id"] for job in author.get("/jobs", workflow=workflow)["jobs"]]

    assert found("poster") == [second, first]
    assert found("poster@1") == [first]
    assert found("poster@latest") == [second]
    assert found("nobody") == []
    assert code_of(author.http.get("/jobs?workflow=A")) == "400 invalid_request"


def test_inputs_are_bounded(author: Author) -> None:
    author.push()
    reply = author.try_run("poster", {"prompt": "x" * 70_000})
    assert code_of(reply) == "422 invalid_inputs"
