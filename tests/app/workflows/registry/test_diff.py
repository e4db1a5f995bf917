"""What is different between two versions."""

from typing import Any

from app.workflows.bindings.models import Bindings
from app.workflows.registry.diff import difference
from app.workflows.registry.models import Content


def content(graph: dict[str, Any], **bindings: Any) -> Content:
    return Content(graph, Bindings.model_validate(bindings), "local")


def node(class_type: str, title: str | None = None, **inputs: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"class_type": class_type, "inputs": inputs}
    return made if title is None else {**made, "_meta": {"title": title}}


def test_the_same_is_the_same() -> None:
    one = content({"1": node("A", x=1)})
    assert difference(one, one)["is_same"]


def test_nodes_come_go_and_differ() -> None:
    old = content({"1": node("A", x=1, y=[1, 0]), "2": node("B"), "4": node("D", "old")})
    new = content({"1": node("A", x=2, z=None), "3": node("C", "Title"), "4": node("E", "new")})
    found = difference(old, new)
    assert found["nodes"] == {
        "added": [{"node_id": "3", "class_type": "C", "title": "Title"}],
        "removed": [{"node_id": "2", "class_type": "B", "title": None}],
        "changed": [
            {
                "node_id": "1",
                "class_type": "A",
                "title": None,
                "fields": [
                    {"field": "x", "from": 1, "to": 2},
                    {"field": "y", "from": [1, 0]},
                    {"field": "z", "to": None},
                ],
            },
            {
                "node_id": "4",
                "class_type": "E",
                "title": "new",
                "class_type_before": "D",
                "title_before": "old",
            },
        ],
    }
    assert not found["is_same"]


def test_values_that_python_takes_for_equal_are_not() -> None:
    found = difference(content({"1": node("A", x=1)}), content({"1": node("A", x=True)}))
    [changed] = found["nodes"]["changed"]
    assert changed["fields"] == [{"field": "x", "from": 1, "to": True}]


def test_inputs_are_compared_by_name() -> None:
    target = {"node_id": "1", "input": "x"}
    prompt = {"name": "prompt", "type": "text", "targets": [target]}
    old = content({}, inputs=[prompt, {**prompt, "name": "gone"}])
    new = content({}, inputs=[{**prompt, "name": "came"}, {**prompt, "label": "Text"}])
    found = difference(old, new)["inputs"]
    assert (found["added"], found["removed"]) == (["came"], ["gone"])
    assert found["changed"] == [
        {"name": "prompt", "fields": [{"field": "label", "from": "", "to": "Text"}]}
    ]


def test_another_environment_is_told() -> None:
    old = Content({}, Bindings(), "local")
    found = difference(old, Content({}, Bindings(), "video"))
    assert found["environment"] == {"from": "local", "to": "video"}
    assert not found["is_same"]
