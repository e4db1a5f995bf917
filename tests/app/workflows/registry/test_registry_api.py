"""`/workflows`: push, look, change, point, roll back, archive."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.app.front_door import POSTER
from tests.app.workflows.registry.conftest import Author, changed, code_of

WIDE = changed(POSTER, "1", prompt="another")


def test_a_push_proposes_what_it_takes_and_gives(author: Author) -> None:
    reply = author.try_push()
    assert reply.status_code == 201
    pushed = reply.json()
    assert (pushed["reference"], pushed["version"]) == ("poster@1", 1)
    assert pushed["aliases"] == ["latest"]
    inputs = {each["name"]: each for each in pushed["bindings"]["inputs"]}
    assert inputs["prompt"]["type"] == "text"
    assert inputs["prompt"]["default"] == "hello"
    assert inputs["seed"]["type"] == "seed"
    assert [each["node_id"] for each in pushed["bindings"]["outputs"]] == ["2"]


def test_the_same_content_is_the_same_version(author: Author) -> None:
    author.push(notes="first")
    again = author.try_push(notes="second")
    assert again.status_code == 200
    assert (again.json()["version"], again.json()["notes"]) == (1, "first")
    assert author.push(WIDE)["version"] == 2
    assert author.push()["version"] == 1
    assert author.get("/workflows/poster")["aliases"] == {"latest": 1}
    assert author.get("/workflows/poster")["newest"] == 2


def test_pushes_at_once_are_numbered_without_a_gap(author: Author) -> None:
    flows = [changed(POSTER, "1", prompt=f"text {n % 4}") for n in range(12)]
    with ThreadPoolExecutor(6) as threads:
        pushed = list(threads.map(author.push, flows))
    assert {each["version"] for each in pushed} == {1, 2, 3, 4}
    versions = author.get("/workflows/poster/versions")["versions"]
    assert [each["version"] for each in versions] == [4, 3, 2, 1]


def test_a_workflow_of_another_workspace_is_not_there(author: Author) -> None:
    author.push()
    stranger = Author(author.house, author.house.caller("stranger"))
    for path in ("", "/versions", "/versions/1", "/schema", "/code", "/diff?from=1"):
        assert code_of(stranger.http.get(f"/workflows/poster{path}")) == "404 workflow_not_found"
    assert code_of(stranger.try_run("poster")) == "404 workflow_not_found"
    assert stranger.get("/workflows")["workflows"] == []
    assert code_of(stranger.http.post("/workflows/poster/archive")) == "404 workflow_not_found"
    assert stranger.push(WIDE)["version"] == 1
    assert author.get("/workflows/poster")["newest"] == 1


@pytest.mark.parametrize("name", ["", "Poster", "a b", "-a", "a" * 65, "ü", "a@1", "a\n"])
def test_a_name_that_cannot_be_is_refused_by_field(author: Author, name: str) -> None:
    reply = author.try_push(name=name)
    assert code_of(reply) == "422 invalid_request"
    assert reply.json()["error"]["details"]["errors"][0]["field"] == "name"


def test_what_could_never_run_is_refused_with_every_node(author: Author) -> None:
    flow: dict[str, Any] = {
        **POSTER,
        "3": {"class_type": "Nope", "inputs": {}},
        "4": {"class_type": "No", "inputs": {}},
    }
    reply = author.try_push(flow)
    assert code_of(reply) == "422 invalid_workflow"
    details = reply.json()["error"]["details"]
    assert details["node_errors"].keys() == {"3", "4"}
    assert [each["name"] for each in details["missing"]] == ["No", "Nope"]
    assert code_of(author.http.get("/workflows/poster")) == "404 workflow_not_found"


def test_bindings_change_by_a_new_version(author: Author) -> None:
    author.push()
    made = author.bind(
        inputs={"prompt": {"label": "Text", "name": "text"}, "seed": None}, notes="n"
    )
    assert (made["version"], made["notes"]) == (2, "n")
    names = [each["name"] for each in made["bindings"]["inputs"]]
    assert "text" in names
    assert not {"prompt", "seed"} & set(names)
    old = author.get("/workflows/poster/versions/1")["bindings"]["inputs"]
    assert {"prompt", "seed"} <= {each["name"] for each in old}
    again = author.http.patch(
        "/workflows/poster/bindings",
        json={
            "version": "1",
            "inputs": {"prompt": {"label": "Text", "name": "text"}, "seed": None},
        },
    )
    assert (again.status_code, again.json()["version"]) == (200, 2)


def test_an_input_can_be_added_by_its_targets(author: Author) -> None:
    author.push()
    target = {"node_id": "2", "input": "filename_prefix"}
    author.bind(inputs={"prefix": {"type": "text", "targets": [target], "default": "mine"}})
    job = author.run("poster", {"prefix": "yours"})
    assert author.graph(job["id"])["2"]["inputs"]["filename_prefix"] == "yours"


def test_everything_wrong_with_bindings_is_said_at_once(author: Author) -> None:
    author.push()
    reply = author.http.patch(
        "/workflows/poster/bindings",
        json={
            "inputs": {
                "nobody": None,
                "prompt": {"multiline": "yes"},
                "extra": {"type": "text"},
            }
        },
    )
    assert code_of(reply) == "422 invalid_bindings"
    fields = {each["field"] for each in reply.json()["error"]["details"]["errors"]}
    assert fields == {"inputs.nobody", "inputs.prompt.multiline", "inputs.extra.targets"}
    wrong = author.http.patch(
        "/workflows/poster/bindings",
        json={"inputs": {"prompt": {"targets": [{"node_id": "9", "input": "x"}]}}},
    )
    assert code_of(wrong) == "422 invalid_bindings"


def test_two_versions_are_compared(author: Author) -> None:
    author.push()
    author.push(changed(POSTER, "1", prompt="other"))
    author.bind(inputs={"prompt": {"label": "Text"}, "seed": None})
    first = author.get("/workflows/poster/diff", **{"from": "1", "to": "2"})
    [node] = first["nodes"]["changed"]
    assert node["fields"] == [{"field": "prompt", "from": "hello", "to": "other"}]
    assert (first["from_version"], first["to_version"], first["is_same"]) == (1, 2, False)
    second = author.get("/workflows/poster/diff", **{"from": "2"})
    assert second["inputs"]["removed"] == ["seed"]
    [prompt] = second["inputs"]["changed"]
    assert prompt["name"] == "prompt"
    assert {"field": "label", "from": "Prompt", "to": "Text"} in prompt["fields"]
    assert second["nodes"] == {"added": [], "removed": [], "changed": []}
    assert author.get("/workflows/poster/diff", **{"from": "2", "to": "2"})["is_same"]


def test_a_word_leads_to_a_version_until_it_is_moved(author: Author) -> None:
    author.push()
    author.push(WIDE)
    pointed = author.http.put("/workflows/poster/aliases/prod", json={"version": "1"})
    assert pointed.json()["aliases"] == {"latest": 2, "prod": 1}
    assert author.run("poster@prod")["workflow"] == {"name": "poster", "version": 1}
    author.http.put("/workflows/poster/aliases/prod", json={"version": "latest"})
    assert author.run("poster@prod")["workflow"]["version"] == 2
    assert author.http.delete("/workflows/poster/aliases/prod").status_code == 204
    assert code_of(author.try_run("poster@prod")) == "404 version_not_found"
    assert code_of(author.http.delete("/workflows/poster/aliases/prod")) == "404 alias_not_found"
    assert code_of(author.http.delete("/workflows/poster/aliases/latest")) == "409 alias_needed"
    absent = author.http.put("/workflows/poster/aliases/prod", json={"version": "9"})
    assert code_of(absent) == "404 version_not_found"


def test_a_workflow_has_so_many_words(author: Author) -> None:
    author.push()
    replies = [
        author.http.put(f"/workflows/poster/aliases/a{n}", json={"version": "1"}) for n in range(32)
    ]
    assert [reply.status_code for reply in replies] == [200] * 31 + [409]
    assert code_of(replies[-1]) == "409 alias_limit"


def test_a_rollback_leads_to_the_version_before(author: Author) -> None:
    for text in ("a", "b", "c"):
        author.push(changed(POSTER, "1", prompt=text))
    assert author.http.post("/workflows/poster/rollback").json()["aliases"] == {"latest": 2}
    job = author.run("poster")
    assert author.graph(job["id"])["1"]["inputs"]["prompt"] == "b"
    to_first = author.http.post("/workflows/poster/rollback", json={"version": "1"})
    assert to_first.json()["aliases"] == {"latest": 1}
    assert code_of(author.http.post("/workflows/poster/rollback")) == "409 no_earlier_version"
    assert author.push(changed(POSTER, "1", prompt="d"))["version"] == 4
    missing = author.http.post("/workflows/poster/rollback", json={"alias": "prod"})
    assert code_of(missing) == "404 alias_not_found"


def test_what_is_archived_is_neither_run_nor_pushed(author: Author) -> None:
    author.push()
    assert author.run("poster")["workflow"]["version"] == 1
    assert author.http.post("/workflows/poster/archive").json()["archived_at"]
    assert code_of(author.try_run("poster@1")) == "409 workflow_archived"
    assert code_of(author.try_push(WIDE)) == "409 workflow_archived"
    assert author.get("/workflows")["workflows"] == []
    [archived] = author.get("/workflows", archived="true")["workflows"]
    assert archived["name"] == "poster"
    assert author.http.post("/workflows/poster/restore").json()["archived_at"] is None
    assert author.run("poster")["workflow"]["version"] == 1


def test_lists_are_paged_by_place(author: Author) -> None:
    for name in ("b", "a", "c"):
        author.push(name=name)
    first = author.get("/workflows", limit=2)
    assert [each["name"] for each in first["workflows"]] == ["a", "b"]
    author.push(name="aa")
    rest = author.get("/workflows", limit=2, cursor=first["next_cursor"])
    assert [each["name"] for each in rest["workflows"]] == ["c"]
    assert "next_cursor" not in rest
    for text in ("x", "y"):
        author.push(changed(POSTER, "1", prompt=text), name="a")
    page = author.get("/workflows/a/versions", limit=2)
    assert [each["version"] for each in page["versions"]] == [3, 2]
    last = author.get("/workflows/a/versions", limit=2, cursor=page["next_cursor"])
    assert [each["version"] for each in last["versions"]] == [1]


@pytest.mark.parametrize("cursor", ["x", "%00", "//8", "YQBi"])
def test_a_cursor_of_nobody_is_refused(author: Author, cursor: str) -> None:
    author.push()
    for path in ("/workflows", "/workflows/poster/versions"):
        reply = author.http.get(f"{path}?cursor={cursor}")
        assert code_of(reply) == "400 invalid_cursor", path


def test_the_editors_file_is_converted_and_kept(author: Author) -> None:
    pushed = author.push(EDITORS)
    assert pushed["has_source"]
    version = author.get("/workflows/poster/versions/latest")
    assert version["graph"]["2"]["inputs"]["images"] == ["1", 0]
    assert version["graph"]["1"]["inputs"]["prompt"] == "from the editor"
    assert author.get("/workflows/poster/versions/1/source")["source"] == EDITORS
    author.push(name="plain")
    reply = author.http.get("/workflows/plain/versions/1/source")
    assert code_of(reply) == "404 source_not_found"


def test_nodes_of_the_editors_file_that_are_missing_are_all_named(author: Author) -> None:
    nodes = [{**EDITORS["nodes"][0], "type": "Nope"}, {**EDITORS["nodes"][1], "type": "Never"}]
    nodes[1]["properties"] = {"cnr_id": "pack"}
    for reply in (
        author.try_push({**EDITORS, "nodes": nodes}),
        author.http.post("/jobs", json={"workflow": {**EDITORS, "nodes": nodes}}),
    ):
        assert code_of(reply) == "422 invalid_workflow"
        missing = reply.json()["error"]["details"]["missing"]
        assert [(each["name"], each["node_ids"]) for each in missing] == [
            ("Never", ["2"]),
            ("Nope", ["1"]),
        ]
        assert (
            missing[0]["where"] == "Install the pack pack: https://registry.comfy.org/nodes/pack."
        )
        assert missing[0]["url"] == "https://registry.comfy.org/nodes/pack"
        assert "does not say" in missing[1]["where"]


def test_a_model_that_is_not_here_is_named_and_does_not_matter_yet(author: Author) -> None:
    loader = {"class_type": "Checkpoint", "inputs": {"ckpt_name": "absent.safetensors"}}
    pushed = author.push({**POSTER, "3": loader})
    [remark] = pushed["remarks"]
    assert remark.startswith("There is no model 'absent.safetensors' here.")
    assert (
        author.push({**POSTER, "4": {**loader, "inputs": {"ckpt_name": "a.safetensors"}}})[
            "remarks"
        ]
        == []
    )


def test_limits_are_said(author: Author) -> None:
    reply = author.try_push(changed(POSTER, "1", prompt="x" * 2_000_000))
    assert code_of(reply) == "422 workflow_too_large"
    assert reply.json()["error"]["details"]["max_bytes"] == 2_000_000


EDITORS: dict[str, Any] = {
    "last_node_id": 2,
    "last_link_id": 1,
    "version": 0.4,
    "nodes": [
        {
            "id": 1,
            "type": "Poster",
            "mode": 0,
            "inputs": [],
            "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [1]}],
            "widgets_values": ["from the editor", 7, "fixed"],
            "properties": {},
        },
        {
            "id": 2,
            "type": "SaveImage",
            "mode": 0,
            "inputs": [{"name": "images", "type": "IMAGE", "link": 1}],
            "outputs": [],
            "widgets_values": ["p"],
            "properties": {},
        },
    ],
    "links": [[1, 1, 0, 2, 0, "IMAGE"]],
}
