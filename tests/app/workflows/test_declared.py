"""An editor's file with the nodes of ComfyDeploy or comfy-pack becomes a graph without them."""

from typing import Any

from app.workflows.bindings.propose import propose_workflow
from app.workflows.declared import with_declared_classes
from app.workflows.intake import converted
from tests.app.front_door import OBJECT_INFO

Json = dict[str, Any]


def slot(name: str, type: str = "STRING", link: int | None = None, *, widget: bool = True) -> Json:
    made: Json = {"name": name, "type": type, "link": link}
    return {**made, "widget": {"name": name}} if widget else made


def editors(first: Json) -> Json:
    """A file in which a node feeds the prompt of a poster."""
    poster: Json = {
        "id": 1,
        "type": "Poster",
        "mode": 0,
        "inputs": [slot("prompt", link=2), slot("seed", "INT")],
        "outputs": [{"name": "IMAGE", "type": "IMAGE", "links": [1]}],
        "widgets_values": ["", 7, "fixed"],
        "properties": {},
    }
    save: Json = {
        "id": 2,
        "type": "SaveImage",
        "mode": 0,
        "inputs": [slot("images", "IMAGE", 1, widget=False), slot("filename_prefix")],
        "outputs": [],
        "widgets_values": ["p"],
        "properties": {},
    }
    links: list[list[Any]] = [[1, 1, 0, 2, 0, "IMAGE"], [2, 3, 0, 1, 0, "STRING"]]
    return {"version": 0.4, "nodes": [poster, save, first], "links": links}


EXTERNAL: Json = {
    "id": 3,
    "type": "ComfyUIDeployExternalText",
    "mode": 0,
    "inputs": [slot("input_id"), slot("default_value"), slot("display_name"), slot("description")],
    "outputs": [{"name": "text", "type": "STRING", "links": [2]}],
    "widgets_values": ["headline", "Lighthouse", "Headline", "What it says."],
    "properties": {},
}
PACK: Json = {
    "id": 3,
    "type": "CPackInputString",
    "title": "headline",
    "mode": 0,
    "inputs": [slot("value")],
    "outputs": [{"name": "STRING", "type": "STRING", "links": [2]}],
    "widgets_values": ["Lighthouse"],
    "properties": {},
}


def test_what_the_nodes_declare_becomes_an_input() -> None:
    for node in (EXTERNAL, PACK):
        document = editors(node)
        proposed = propose_workflow(converted(document, OBJECT_INFO).graph, OBJECT_INFO, document)
        assert proposed.graph.keys() == {"1", "2"}
        headline = next(i for i in proposed.bindings.inputs if i.name == "headline")
        assert (headline.type, headline.default) == ("text", "Lighthouse")
        assert [(t.node_id, t.input) for t in headline.targets] == [("1", "prompt")]


def test_an_older_file_does_not_say_whose_its_values_are() -> None:
    document = editors({**EXTERNAL, "inputs": []})
    assert with_declared_classes(document, OBJECT_INFO) is OBJECT_INFO


def test_what_is_installed_is_what_counts() -> None:
    known: Json = {**OBJECT_INFO, "CPackInputString": {"input": {}, "output": ["STRING"]}}
    assert with_declared_classes(editors(PACK), known) is known


ODD: list[Json] = [
    {},
    {"nodes": 5},
    {"nodes": [None, {"type": 3}, {"type": "CPackInput", "inputs": 1}]},
    {"definitions": {"subgraphs": [None, {"nodes": "x"}]}},
]


def test_a_file_of_any_shape_is_read() -> None:
    for odd in ODD:
        assert with_declared_classes(odd, OBJECT_INFO)
    slots: list[Json] = [{"name": 5}, {"name": "a", "type": None}]
    made = with_declared_classes({"nodes": [{"type": "CPackInputX", "inputs": slots}]}, {})
    assert made["CPackInputX"]["input"] == {"optional": {"a": ["*", {}]}}
