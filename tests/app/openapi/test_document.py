"""The contract tells everything: each operation, parameter, answer and field, and v2's all."""

import json
import re
from collections.abc import Iterator
from typing import Any, cast

import pytest
import schemathesis
from comfy_low import models as sdk
from pydantic import BaseModel

from app.openapi.document import operations
from app.openapi.errors import BY_KEY, FAILURES
from app.openapi.examples import SUMMARIES, example
from app.openapi.operations import OPERATIONS
from gpu_functions.contract import FailureCode
from tests.app.openapi.contract import Json, by_id, contract, errors_of, resolved
from tests.app.openapi.v2 import V2_OPERATIONS, V2_REQUIRED, V2_STATUSES_WE_NEVER_ANSWER

OPERATION_IDS = sorted(OPERATIONS)


def test_the_table_and_the_routes_name_the_same_operations() -> None:
    assert sorted(by_id()) == OPERATION_IDS


@pytest.mark.parametrize("name", OPERATION_IDS)
def test_an_operation_says_what_it_does(name: str) -> None:
    operation = by_id()[name]
    assert operation["summary"]
    assert len(operation["description"]) > 40
    assert operation["tags"]


@pytest.mark.parametrize("name", OPERATION_IDS)
def test_every_parameter_is_described(name: str) -> None:
    for parameter in by_id()[name].get("parameters", []):
        assert parameter["description"], parameter["name"]
        assert "null" not in str(parameter["schema"].get("type")), parameter["name"]


@pytest.mark.parametrize("name", OPERATION_IDS)
def test_every_answer_with_json_shows_an_example_that_fits(name: str) -> None:
    for status, response in by_id()[name]["responses"].items():
        for content in resolved(response).get("content", {}).values():
            if content.get("schema", {}).get("format") == "binary":
                continue
            assert content["examples"], status
            if "oneOf" in content["schema"]:
                continue  # a stream: its frames are held to their schemas below
            for shown in content["examples"].values():
                assert errors_of(content["schema"], resolved(shown)["value"]) == [], status


@pytest.mark.parametrize("name", [n for n, o in OPERATIONS.items() if o.body or o.multipart])
def test_every_request_shows_an_example_that_fits(name: str) -> None:
    for content in by_id()[name]["requestBody"]["content"].values():
        assert content["examples"]
        for shown in content["examples"].values():
            assert errors_of(content["schema"], resolved(shown)["value"]) == []


@pytest.mark.parametrize("name", OPERATION_IDS)
def test_every_refusal_is_the_envelope_with_one_example_per_code(name: str) -> None:
    operation = OPERATIONS[name]
    for key in operation.codes:
        refusal = BY_KEY[key]
        response = resolved(by_id()[name]["responses"][str(refusal.status)])
        if not operation.has_body:
            assert "content" not in response
            continue
        content = response["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/ErrorEnvelope"}
        shown = resolved(content["examples"][refusal.name])["value"]
        assert shown["error"]["code"] == refusal.code


@pytest.mark.parametrize("name", OPERATION_IDS)
def test_every_answer_tells_of_the_request_id(name: str) -> None:
    for response in by_id()[name]["responses"].values():
        assert "X-Comfy-Request-Id" in resolved(response)["headers"]


def test_what_may_be_tried_again_says_when() -> None:
    for _, _, operation in operations(contract()):
        for status, response in operation["responses"].items():
            if status in {"429", "503"}:
                assert "Retry-After" in resolved(response)["headers"]


def test_only_health_needs_no_key() -> None:
    assert contract()["security"] == [{"bearerAuth": []}]
    assert {n for n, o in by_id().items() if o.get("security") == []} == {
        "getHealth",
        "getLiveness",
        "getReadiness",
    }


def test_every_field_of_ours_that_is_no_plain_word_is_described() -> None:
    job = contract()["components"]["schemas"]["Job"]["properties"]
    beyond_v2 = job.keys() - V2_REQUIRED["Job"] - {"tags", "environment"}
    assert all("description" in job[name] for name in beyond_v2)


def test_no_generated_title_is_left() -> None:
    assert not list(_titles(contract()["components"]["schemas"]))
    assert "HTTPValidationError" not in str(contract())


def _titles(node: Any) -> Iterator[Any]:
    """Of schemas; a property may well be called so."""
    match node:
        case {"title": str(title)}:
            yield title
        case dict():
            for child in cast(Json, node).values():
                yield from _titles(child)
        case list():
            for child in cast(list[Any], node):
                yield from _titles(child)
        case _:
            pass


def test_every_reference_leads_somewhere_and_every_example_is_shown() -> None:
    refs = set(_refs(contract()))
    assert all(resolved({"$ref": ref}) for ref in refs)
    shown = {ref.rpartition("/")[2] for ref in refs if ref.startswith("#/components/examples/")}
    assert shown >= SUMMARIES.keys()


def _refs(node: Any) -> Iterator[str]:
    match node:
        case {"$ref": str(ref)}:
            yield ref
        case dict():
            for child in cast(Json, node).values():
                yield from _refs(child)
        case list():
            for child in cast(list[Any], node):
                yield from _refs(child)
        case _:
            pass


def test_a_strict_reader_takes_the_document() -> None:
    schemathesis.openapi.from_dict(contract()).validate()


@pytest.mark.parametrize(("method", "path", "name", "statuses"), V2_OPERATIONS)
def test_an_operation_of_v2_is_here_under_its_own_name(
    method: str, path: str, name: str, statuses: set[str]
) -> None:
    operation = contract()["paths"][path][method]
    assert operation["operationId"] == name
    assert operation["responses"].keys() >= statuses - V2_STATUSES_WE_NEVER_ANSWER


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (sdk.Job, "job_queued"),
        (sdk.Job, "job_running"),
        (sdk.Job, "job_canceling"),
        (sdk.Job, "job_succeeded"),
        (sdk.Job, "job_failed"),
        (sdk.JobWorkflowResponse, "job_workflow"),
        (sdk.Asset, "asset"),
        (sdk.Asset, "asset_of_job"),
        (sdk.Asset, "asset_uploaded"),
        (sdk.Asset, "asset_from_hash"),
    ],
)
def test_the_official_models_take_what_we_show(model: type[BaseModel], name: str) -> None:
    model.model_validate(example(name))


@pytest.mark.parametrize("name", sorted(V2_REQUIRED))
def test_what_v2_requires_is_required_here(name: str) -> None:
    schema = contract()["components"]["schemas"][name]
    assert set(schema["required"]) >= V2_REQUIRED[name]


def test_the_parts_of_an_upload_come_in_the_order_of_the_official_clients() -> None:
    schema: Json = by_id()["postAssets"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    order = list(schema["properties"])
    assert order[:2] == ["content_type", "file_path"]
    assert order[-1] == "file"


@pytest.mark.parametrize(
    ("name", "stream"), [("getJobEvents", "job_events"), ("getEvents", "workspace_events")]
)
def test_every_frame_shown_fits_the_schema_of_its_event(name: str, stream: str) -> None:
    schemas = by_id()[name]["x-sse-events"]
    frames = re.findall(r"event: (\w+)\ndata: (.+)\n", str(example(stream)))
    assert {event for event, _ in frames} >= {"status", "progress", "preview", "output"}
    for event, data in frames:
        ref = {"$ref": schemas[event]["schema"]}
        assert ref == _schema_of_frame(name, event)
        assert errors_of(ref, json.loads(data)) == [], event


def _schema_of_frame(name: str, event: str) -> Json:
    content = by_id()[name]["responses"]["200"]["content"]["text/event-stream"]
    [frame] = [
        frame
        for frame in content["schema"]["oneOf"]
        if frame["properties"]["event"]["const"] == event
    ]
    return frame["properties"]["data"]["contentSchema"]


def test_every_reason_to_fail_is_explained() -> None:
    assert FAILURES.keys() == set(FailureCode)
    assert all(f"`{code}`" in contract()["info"]["description"] for code in FailureCode)
