"""What a running front door answers about workflows is what the contract says, its own document included."""

from typing import Any

import httpx
import jsonschema_rs
import schemathesis

from app.openapi.examples import example
from tests.app.front_door import POSTER
from tests.app.openapi.contract import shape
from tests.app.openapi.test_wire import fits
from tests.app.workflows.registry.conftest import Author, changed, code_of


def test_every_answer_is_as_documented(author: Author) -> None:
    http = author.http
    pushed = author.try_push(notes="first")
    fits("postWorkflows", pushed)
    fits("postWorkflows", author.try_push())
    assert pushed.json().keys() == example("workflow_pushed").keys()
    edit = {"inputs": {"prompt": {"label": "Text"}}}
    bound = http.patch("/workflows/poster/bindings", json=edit)
    fits("patchWorkflowBindings", bound)
    fits("patchWorkflowBindings", http.patch("/workflows/poster/bindings", json=edit))
    fits("patchWorkflowBindings", http.patch("/workflows/poster/bindings", json={"version": "9"}))
    author.push(changed(POSTER, "1", prompt="b"))
    for operation, path, shown in (
        ("getWorkflow", "/workflows/poster", "workflow_named"),
        ("listWorkflows", "/workflows", "workflow_page"),
        ("listWorkflowVersions", "/workflows/poster/versions?limit=1", "workflow_versions"),
        ("getWorkflowVersion", "/workflows/poster/versions/1", "workflow_version"),
        ("diffWorkflow", "/workflows/poster/diff?from=1", "workflow_diff"),
        ("getWorkflowSchema", "/workflows/poster/schema", "workflow_schema"),
        ("getWorkflowCode", "/workflows/poster/code", "workflow_code"),
    ):
        reply = http.get(path)
        fits(operation, reply)
        assert reply.json().keys() - {"next_cursor"} == example(shown).keys() - {"next_cursor"}
    for operation, method, path, body in (
        ("putWorkflowAlias", "PUT", "/workflows/poster/aliases/prod", {"version": "1"}),
        ("putWorkflowAlias", "PUT", "/workflows/poster/aliases/prod", {"version": "77"}),
        ("deleteWorkflowAlias", "DELETE", "/workflows/poster/aliases/prod", None),
        ("deleteWorkflowAlias", "DELETE", "/workflows/poster/aliases/latest", None),
        ("rollbackWorkflow", "POST", "/workflows/poster/rollback", None),
        ("getWorkflowSource", "GET", "/workflows/poster/versions/1/source", None),
        ("archiveWorkflow", "POST", "/workflows/poster/archive", None),
        ("postWorkflows", "POST", "/workflows", {"name": "poster", "workflow": POSTER}),
        ("restoreWorkflow", "POST", "/workflows/poster/restore", None),
    ):
        fits(operation, http.request(method, path, json=body))


def test_a_job_of_a_name_is_as_documented(author: Author) -> None:
    author.push()
    reply = author.try_run("poster", {"prompt": "x"})
    fits("postJobs", reply)
    assert shape(reply.json()["workflow"]) == shape(example("job_by_name")["workflow"])
    fits("postJobs", author.try_run("poster", {"nobody": 1}))
    fits("postJobs", author.try_run("nobody"))
    would = author.http.post("/jobs?dry_run=true", json={"workflow": "poster"})
    fits("postJobs", would)
    assert would.json().keys() == example("dry_run").keys()


def test_the_schema_takes_what_a_submit_takes(author: Author) -> None:
    author.push()
    validator = jsonschema_rs.validator_for(author.get("/workflows/poster/schema"))
    given: list[tuple[dict[str, Any], bool]] = [
        ({}, True),
        ({"prompt": "x", "seed": 7}, True),
        ({"seed": "random"}, True),
        ({"seed": "lots"}, False),
        ({"seed": -1}, False),
        ({"prompt": 5}, False),
        ({"nobody": 1}, False),
    ]
    for inputs, wanted in given:
        assert validator.is_valid(inputs) == wanted, inputs
        assert (author.try_run("poster", inputs).status_code == 201) == wanted, inputs


def test_one_workflow_has_a_contract_of_its_own(author: Author) -> None:
    author.push(notes="For posters.")
    url = f"{author.caller.url}/openapi.json"
    headers = {"Authorization": f"Bearer {author.caller.key}"}
    reply = httpx.get(url, params={"workflow": "poster"}, headers=headers)
    document = reply.json()
    schemathesis.openapi.from_dict(document).validate()
    assert document["info"] == {
        "title": "poster",
        "version": "1",
        "description": "For posters.",
    }
    body = document["paths"]["/api/v2/jobs"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"]["properties"]["workflow"] == {"type": "string", "const": "poster@1"}
    assert {"prompt", "seed"} <= body["schema"]["properties"]["inputs"]["properties"].keys()
    validator = jsonschema_rs.validator_for(
        {**body["schema"], "components": document["components"]}
    )
    assert validator.is_valid(body["example"])
    assert author.http.post("/jobs", json=body["example"]).status_code == 201
    assert len(document["components"]["schemas"]) < 20
    whole = httpx.get(url).json()
    assert whole["paths"].keys() > document["paths"].keys()
    assert whole["paths"]["/api/v2/jobs"].keys() == {"get", "post"}


def test_a_contract_of_a_workflow_is_for_who_may_run_it(author: Author) -> None:
    author.push()
    url = f"{author.caller.url}/openapi.json?workflow=poster"
    assert code_of(httpx.get(url)) == "401 unauthorized"
    stranger = author.house.caller("somebody")
    headers = {"Authorization": f"Bearer {stranger.key}"}
    assert code_of(httpx.get(url, headers=headers)) == "404 workflow_not_found"
    assert code_of(httpx.get(f"{url}@@", headers=headers)) == "404 workflow_not_found"
