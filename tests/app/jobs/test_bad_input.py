"""Whatever comes in gets a documented status and code in v2's envelope, and nothing is half-recorded."""

import copy
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.app.conftest import House
from tests.app.front_door import POSTER
from tests.app.jobs.test_job_api import error


def post(house: House, body: bytes | str, **headers: str) -> httpx.Response:
    """Submit raw bytes."""
    content = body.encode() if isinstance(body, str) else body
    return house.alice.http.post(
        "/jobs", content=content, headers={"Content-Type": "application/json", **headers}
    )


def submit(house: House, workflow: Any, **body: Any) -> httpx.Response:
    """Submit a graph that may be wrong."""
    return house.alice.http.post("/jobs", json={"workflow": workflow, **body})


def reasons(reply: httpx.Response) -> dict[str, list[tuple[str, str]]]:
    """Field and reason of every problem, by node."""
    node_errors = error(reply)["details"]["node_errors"]
    return {
        node: sorted((p["field"], p["reason"]) for p in problems)
        for node, problems in node_errors.items()
    }


@pytest.fixture(autouse=True)
def nothing_recorded(house: House) -> Any:
    """After every refusal there is no job."""
    yield
    assert house.alice.http.get("/jobs").json()["jobs"] == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 422, "invalid_json"),
        ("", 422, "invalid_json"),
        ("[]", 422, "invalid_json"),
        ('"text"', 422, "invalid_json"),
        ('{"workflow": {"1": NaN}}', 422, "invalid_json"),
        ('{"workflow": {"1": 1e999}}', 422, "invalid_json"),
        ('{"workflow": {"1": Infinity}}', 422, "invalid_json"),
        ('{"workflow": {"1": "a\\u0000b"}}', 422, "invalid_json"),
        ('{"workflow": {"a\\u0000b": 1}}', 422, "invalid_json"),
        ('{"workflow": ' + '{"a":' * 100 + "1" + "}" * 101, 422, "invalid_json"),
        ('{"workflow": ' + "[" * 100_000, 422, "invalid_json"),
        (b'{"workflow": "\xff"}', 422, "invalid_json"),
        ("\ufeff{}", 422, "invalid_json"),
        ("{}", 422, "invalid_request"),
        ('{"workflow": []}', 422, "invalid_request"),
        ('{"workflow": "name@2"}', 404, "workflow_not_found"),
        ('{"workflow": "Name@2"}', 422, "invalid_request"),
        ('{"workflow": {}}', 422, "invalid_workflow"),
        (
            '{"workflow": {"1": {"class_type": "SaveImage", "inputs": {}}}, "x": 1}',
            422,
            "invalid_request",
        ),
    ],
)
def test_a_body_that_is_not_a_job_is_refused(
    house: House, body: bytes | str, status: int, code: str
) -> None:
    reply = post(house, body)
    assert (reply.status_code, error(reply)["code"]) == (status, code)


def test_a_body_of_ten_megabytes_is_too_large(house: House) -> None:
    reply = post(house, b'{"workflow": {"1": "' + b"a" * 10_000_000 + b'"}}')
    assert (reply.status_code, error(reply)["code"]) == (413, "payload_too_large")
    assert error(reply)["details"]["max_bytes"] == 10_000_000


def test_a_compressed_body_is_refused(house: House) -> None:
    reply = post(house, b"x", **{"Content-Encoding": "gzip"})
    assert (reply.status_code, error(reply)["code"]) == (415, "unsupported_media_type")


def test_another_content_type_is_refused(house: House) -> None:
    reply = post(house, "{}", **{"Content-Type": "text/plain"})
    assert (reply.status_code, error(reply)["code"]) == (415, "unsupported_media_type")


def test_a_workflow_of_the_editor_that_gives_no_graph_is_refused_with_the_remedy(
    house: House,
) -> None:
    editors: dict[str, Any] = {"nodes": [], "links": [], "last_node_id": 3, "version": 0.4}
    nothing_in_it = submit(house, editors)
    nobody_knows_its_nodes = submit(house, editors, environment="video")
    for reply in (nothing_in_it, nobody_knows_its_nodes):
        assert (reply.status_code, error(reply)["code"]) == (422, "workflow_format_ui")
        assert "Export (API)" in error(reply)["message"]


def test_all_unknown_nodes_are_named_at_once(house: House) -> None:
    graph: dict[str, Any] = {
        "1": {"class_type": "Nope", "inputs": {}},
        "2": {"class_type": "Neither", "inputs": {}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    reply = submit(house, graph)
    assert error(reply)["code"] == "invalid_workflow"
    assert "Neither, Nope" in error(reply)["message"]
    assert reasons(reply) == {
        "1": [("class_type", "missing_node")],
        "2": [("class_type", "missing_node")],
    }


def changed(node: str, **inputs: Any) -> dict[str, Any]:
    """The poster with other inputs; None removes one."""
    graph = copy.deepcopy(POSTER)
    for name, value in inputs.items():
        if value is None:
            del graph[node]["inputs"][name]
        else:
            graph[node]["inputs"][name] = value
    return graph


@pytest.mark.parametrize(
    ("graph", "expected"),
    [
        (changed("2", images=None), {"2": [("images", "missing_input")]}),
        (changed("2", images=["9", 0]), {"2": [("images", "missing_link")]}),
        (changed("2", images=["1", 7]), {"2": [("images", "bad_link")]}),
        (changed("2", images=["1", -1]), {"2": [("images", "bad_link"), ("images", "bad_link")]}),
        (changed("1", seed="many"), {"1": [("seed", "invalid_type")]}),
        (changed("1", seed=-1), {"1": [("seed", "too_small")]}),
        (changed("1", prompt={"a": 1}), {"1": [("prompt", "invalid_type")]}),
        (changed("2", filename_prefix="../../x"), {"2": [("filename_prefix", "path_not_allowed")]}),
    ],
)
def test_every_problem_names_its_node_and_input(
    house: House, graph: dict[str, Any], expected: dict[str, Any]
) -> None:
    reply = submit(house, graph)
    assert reply.status_code == 422
    if expected == {"2": [("images", "bad_link"), ("images", "bad_link")]}:
        assert set(reasons(reply)["2"]) == {("images", "bad_link")}
        return
    assert reasons(reply) == expected


def test_a_link_of_the_wrong_type_is_refused(house: House) -> None:
    graph: dict[str, Any] = {
        "1": {"class_type": "Checkpoint", "inputs": {"ckpt_name": "b.safetensors"}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    assert reasons(submit(house, graph)) == {"2": [("images", "type_mismatch")]}


def test_a_choice_that_is_not_offered_is_refused(house: House) -> None:
    graph = changed("2", images=["3", 0])
    graph["3"] = {
        "class_type": "Scale",
        "inputs": {"image": ["1", 0], "method": "magic", "width": 9},
    }
    assert reasons(submit(house, graph)) == {"3": [("method", "not_in_list")]}


def test_a_cycle_is_named(house: House) -> None:
    graph = changed("1", image=["3", 0])
    graph["3"] = {
        "class_type": "Scale",
        "inputs": {"image": ["1", 0], "method": "area", "width": 9},
    }
    reply = submit(house, graph)
    assert "feed each other" in reply.text
    assert any(("", "cycle") in problems for problems in reasons(reply).values())


def test_a_graph_without_outputs_is_refused(house: House) -> None:
    graph = {"1": POSTER["1"]}
    assert reasons(submit(house, graph)) == {"1": [("", "no_outputs")]}


@pytest.mark.parametrize(
    "node",
    [
        "text",
        None,
        {},
        {"class_type": 5, "inputs": {}},
        {"class_type": "SaveImage"},
        {"class_type": "SaveImage", "inputs": []},
    ],
)
def test_a_node_that_is_none_is_refused(house: House, node: Any) -> None:
    reply = submit(house, {**POSTER, "3": node})
    assert (reply.status_code, error(reply)["code"]) == (422, "invalid_workflow")
    assert "3" in error(reply)["details"]["node_errors"]


def load(image: Any) -> dict[str, Any]:
    """A graph that reads a file."""
    return {
        "1": {"class_type": "LoadImage", "inputs": {"image": image}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }


@pytest.mark.parametrize(
    "path",
    [
        "x.png [output]",
        "x.png [temp]",
        "../../etc/passwd",
        "a/../../b",
        "/etc/hostname",
        "C:\\x.png",
        "\\\\host\\share",
        "..\\..\\x",
    ],
)
def test_a_file_input_cannot_reach_outside(house: House, path: str) -> None:
    reply = submit(house, load(path))
    assert reasons(reply) == {"1": [("image", "path_not_allowed")]}


@pytest.mark.parametrize(
    "handle",
    [
        {"__type": "core/ASSET", "info": {"id": "0192e4a0-0000-7000-8000-000000000000"}},
        {"__type": "core/ASSET", "info": {"id": "../../x"}},
        {"__type": "core/ASSET", "info": {}},
        {"__type": "core/ASSET"},
        "never-uploaded.png",
    ],
)
def test_a_missing_file_is_named_with_its_node(house: House, handle: Any) -> None:
    reply = submit(house, load(handle))
    assert (reply.status_code, error(reply)["code"]) == (422, "missing_asset")
    assert reasons(reply) == {"1": [("image", "missing_asset")]}


def test_anothers_file_looks_like_none(house: House) -> None:
    bob = house.caller("bob")
    theirs = bob.upload(b"bytes", "secret.png").json()["id"]
    handle = {"__type": "core/ASSET", "info": {"id": theirs}}
    absent = {"__type": "core/ASSET", "info": {"id": str(uuid4())}}
    assert error(submit(house, load(handle)))["code"] == "missing_asset"
    assert error(submit(house, load(absent)))["code"] == "missing_asset"
    assert error(submit(house, load("secret.png")))["code"] == "missing_asset"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("priority", 1_000),
        ("priority", "high"),
        ("strip_metadata", "yes"),
        ("strip_metadata", 1),
        ("metadata", {str(i): "x" for i in range(17)}),
        ("metadata", {"a": 1}),
        ("extra_data", {"other": "x"}),
        ("deadline_s", -1),
        ("max_tries", 0),
        ("webhook_url", 7),
        ("webhook_url", "https://example.com/" + "x" * 2_048),
    ],
)
def test_a_field_out_of_range_is_refused(house: House, field: str, value: Any) -> None:
    reply = submit(house, POSTER, **{field: value})
    assert (reply.status_code, error(reply)["code"]) == (422, "invalid_request")
    assert error(reply)["details"]["errors"][0]["field"].startswith(field)


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_an_idempotency_key_out_of_range_is_refused(house: House, key: str) -> None:
    reply = house.alice.http.post(
        "/jobs", json={"workflow": POSTER}, headers={"Idempotency-Key": key}
    )
    assert (reply.status_code, error(reply)["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("PUT", "/jobs", 405, "method_not_allowed"),
        ("GET", "/jobs/not-an-id", 404, "job_not_found"),
        ("GET", "/jobs/%00", 404, "job_not_found"),
        ("GET", "/jobs/0192E4A0-0000-7000-8000-000000000000", 404, "job_not_found"),
        ("GET", "/assets/not-an-id", 404, "asset_not_found"),
        ("GET", "/jobs?limit=0", 422, "invalid_request"),
        ("GET", "/jobs?limit=101", 422, "invalid_request"),
        ("GET", "/jobs?status=done", 400, "invalid_request"),
        ("GET", "/jobs?cursor=AAAA", 400, "invalid_cursor"),
        ("GET", "/jobs?metadata[a]=%00", 400, "invalid_metadata_filter"),
    ],
)
def test_an_address_that_is_none_answers_with_the_envelope(
    house: House, method: str, path: str, status: int, code: str
) -> None:
    reply = house.alice.http.request(method, path)
    assert (reply.status_code, error(reply)["code"]) == (status, code)


def test_a_foreign_host_or_origin_is_refused(house: House) -> None:
    rebound = house.alice.http.get("/jobs", headers={"Host": "evil.test"})
    assert (rebound.status_code, error(rebound)["code"]) == (400, "bad_host")
    foreign = house.alice.http.post(
        "/jobs", json={"workflow": POSTER}, headers={"Origin": "https://evil.test"}
    )
    assert (foreign.status_code, error(foreign)["code"]) == (403, "foreign_origin")
