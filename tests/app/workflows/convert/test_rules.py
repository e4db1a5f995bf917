"""Rule by rule: small workflows and what becomes of them."""

import json
from functools import cache
from typing import Any

import pytest

from app.workflows.convert.convert import Converted, convert
from app.workflows.convert.refusal import ConversionRefusedError
from tests.app.workflows.convert.drawing import (
    IN,
    OBJECT_INFO,
    OUT,
    node,
    save,
    slot,
    subgraph,
    workflow,
)
from tests.app.workflows.convert.report import DATA, object_info
from tests.app.workflows.convert.test_templates import comparable


@cache
def cases() -> dict[str, Any]:
    """Small workflows, and what the editors named made of them in a headless browser.

    Where two editors differ the one named is the one that does what the file says.
    """
    return json.loads((DATA / "cases.json").read_text())


@pytest.mark.parametrize("name", sorted(cases()))
def test_the_graph_of_a_small_workflow_is_the_editors(name: str) -> None:
    case = cases()[name]
    assert comparable(convert(case["ui"], object_info()).graph) == case["graph"]


INT: list[Any] = ["INT", {}]


def made(nodes: list[Any], links: list[Any], subgraphs: list[Any] | None = None) -> Converted:
    """The conversion of a drawn workflow."""
    return convert(workflow(nodes, links, subgraphs or []), OBJECT_INFO)


def test_a_node_has_its_title_else_that_of_its_class() -> None:
    graph = made([node(1, "Make"), save(2, 1) | {"title": "Mine"}], [(1, 1, 0, 2, 0)]).graph
    titles = {node_id: each["_meta"]["title"] for node_id, each in graph.items()}
    assert titles == {"1": "Make a picture", "2": "Mine"}


def test_what_feeds_nothing_is_dropped_and_said() -> None:
    result = made([node(1, "Make"), node(3, "Make"), save(2, 1)], [(1, 1, 0, 2, 0)])
    assert set(result.graph) == {"1", "2"}
    assert [(note.code, note.node_ids) for note in result.notes] == [("nodes_dropped", ("3",))]


@pytest.mark.parametrize("kind", ["SetNode", "easy setNode"])
def test_a_getter_passes_on_what_the_setter_of_its_name_is_given(kind: str) -> None:
    setter = node(2, kind, [slot("IMAGE", 1)], ["picture"])
    getter = node(3, kind.replace("set", "get").replace("Set", "Get"), [], ["picture"])
    graph = made([node(1, "Make"), setter, getter, save(4, 2)], [(1, 1, 0, 2, 0), (2, 3, 0, 4, 0)])
    assert graph.graph["4"]["inputs"]["images"] == ["1", 0]
    assert set(graph.graph) == {"1", "4"}


def test_a_getter_in_a_subgraph_finds_a_setter_around_it() -> None:
    inner = subgraph("s", [node(1, "GetNode", [], ["x"])], [(1, 1, 0, OUT, 0)], [], [("IMAGE", 1)])
    nodes = [node(1, "Make"), node(2, "SetNode", [slot("IMAGE", 1)], ["x"]), node(3, "s")]
    graph = made([*nodes, save(4, 2)], [(1, 1, 0, 2, 0), (2, 3, 0, 4, 0)], [inner]).graph
    assert graph["4"]["inputs"]["images"] == ["1", 0]


def test_a_getter_without_a_setter_gives_nothing() -> None:
    graph = made([node(3, "GetNode", [], ["x"]), save(4, 2)], [(2, 3, 0, 4, 0)]).graph
    assert "images" not in graph["4"]["inputs"]


@pytest.mark.parametrize("mode", [2, 4])
def test_a_muted_or_bypassed_instance_in_a_subgraph_does_not_run(mode: int) -> None:
    # Editors that mute an instance mute the nodes inside with it; those that do not run them all the same.
    inner = subgraph("in", [node(1, "Make"), save(2, 1)], [(1, 1, 0, 2, 0)])
    outer = subgraph(
        "out", [node(3, "in", mode=mode), node(4, "Make"), save(5, 1)], [(1, 4, 0, 5, 0)]
    )
    graph = made([node(9, "out")], [], [inner, outer]).graph
    assert set(graph) == {"9:4", "9:5"}


def test_a_subgraph_can_pass_an_input_straight_to_an_output() -> None:
    inner = subgraph("s", [], [(1, IN, 0, OUT, 0)], [("a", 1)], [("b", 1)])
    nodes = [node(1, "Make"), node(2, "s", [slot("a", 1)]), save(3, 2)]
    graph = made(nodes, [(1, 1, 0, 2, 0), (2, 2, 0, 3, 0)], [inner]).graph
    assert graph["3"]["inputs"]["images"] == ["1", 0]


def test_values_saved_by_name_are_taken_by_name() -> None:
    drawn = node(1, "Make", values={"seed": 7, "videopreview": {"hidden": True}})
    graph = made([drawn, save(2, 1)], [(1, 1, 0, 2, 0)]).graph
    assert graph["1"]["inputs"] == {"width": 8, "seed": 7}


def test_the_order_of_values_survives_a_database_that_sorts_names() -> None:
    made_class = {
        "input": {"required": dict(sorted(OBJECT_INFO["Make"]["input"]["required"].items()))},
        "input_order": {"required": ["width", "seed"]},
        "output": ["IMAGE"],
    }
    drawn = workflow([node(1, "Make", values=[5, 9, "fixed"]), save(2, 1)], [(1, 1, 0, 2, 0)])
    graph = convert(drawn, {**OBJECT_INFO, "Make": made_class}).graph
    assert graph["1"]["inputs"] == {"width": 5, "seed": 9}


@pytest.mark.parametrize("options", [{"default": 0}, {"socketless": True}])
def test_a_field_of_a_type_that_came_after_us_has_its_place(options: Any) -> None:
    made_class: Any = {
        "input": {
            "required": {"curve": ["CURVE", options], "width": INT, "to": ["MESH"]},
        },
        "output": ["IMAGE"],
    }
    drawn = workflow([node(1, "Make", values=["c", 5]), save(2, 1)], [(1, 1, 0, 2, 0)])
    graph = convert(drawn, {**OBJECT_INFO, "Make": made_class}).graph
    assert graph["1"]["inputs"] == {"curve": "c", "width": 5}


def test_a_list_as_value_is_never_taken_for_a_link() -> None:
    graph = made([node(1, "Make", values=[["1", 0]]), save(2, 1)], [(1, 1, 0, 2, 0)]).graph
    assert graph["1"]["inputs"]["width"] == {"__value__": ["1", 0]}


def test_of_a_choice_in_a_text_the_first_is_taken_and_said() -> None:
    say = node(1, "Say", values=["a {red|{blue|green}} {x|y}"])
    result = made([say, save(2, 1)], [(1, 1, 0, 2, 0)])
    assert result.graph["1"]["inputs"]["text"] == "a red x"
    assert [note.code for note in result.notes] == ["choice_made"]


@pytest.mark.parametrize(
    ("prefix", "filled", "notes"),
    [
        ("%date:yyyy-MM-dd%/%Make.width%", "%year%-%month%-%day%/64", []),
        ("%date:hhmmss%", "%hour%%minute%%second%", []),
        ("%date:d.M.yy%", "%date:d.M.yy%", ["token_kept"]),
        ("%Nobody.x%_%year%", "%Nobody.x%_%year%", ["token_kept"]),
        ("100%", "100%", []),
    ],
)
def test_file_names_are_filled_in(prefix: str, filled: str, notes: list[str]) -> None:
    make = node(1, "Make", values=[64], properties={"Node name for S&R": "Make"})
    result = made([make, save(2, 1, prefix)], [(1, 1, 0, 2, 0)])
    assert result.graph["2"]["inputs"]["filename_prefix"] == filled
    assert [note.code for note in result.notes] == notes


def refusal(ui: Any) -> ConversionRefusedError:
    """Why it is refused."""
    with pytest.raises(ConversionRefusedError) as caught:
        convert(ui, OBJECT_INFO)
    return caught.value


def test_all_absent_classes_are_named_at_once_with_their_packs() -> None:
    nodes = [
        node(1, "Gone", properties={"cnr_id": "pack-a", "ver": "1.2"}),
        node(2, "Gone"),
        node(3, "Lost", properties={"aux_id": "someone/pack-b"}),
        node(4, "Muted", mode=2),
        node(5, "Note"),
    ]
    error = refusal(workflow(nodes, []))
    assert error.code == "missing_nodes"
    assert error.details["missing"] == [
        {"class_type": "Gone", "node_ids": ["1", "2"], "pack": "pack-a", "version": "1.2"},
        {"class_type": "Lost", "node_ids": ["3"], "pack": "someone/pack-b", "version": None},
    ]


def test_all_damage_is_told_at_once_by_place() -> None:
    broken = {"nodes": [{"type": "Make"}, {"id": 1}, {"id": 2, "type": "Make"}], "links": ["x"]}
    error = refusal(broken | {"definitions": {"subgraphs": [{}]}})
    assert error.code == "damaged_workflow"
    assert [fault["field"] for fault in error.details["faults"]] == [
        "nodes.0.id",
        "nodes.1.type",
        "links.0",
        "definitions.subgraphs.0.id",
    ]


def test_a_graph_is_no_workflow_of_the_editor() -> None:
    assert refusal({"1": {"class_type": "Make", "inputs": {}}}).code == "not_a_ui_workflow"


def test_links_in_a_circle_are_refused() -> None:
    nodes = [node(1, "Reroute", [slot("", 2)]), node(2, "Reroute", [slot("", 1)]), save(3, 3)]
    error = refusal(workflow(nodes, [(1, 1, 0, 2, 0), (2, 2, 0, 1, 0), (3, 2, 0, 3, 0)]))
    assert error.code == "endless_link"


def test_a_subgraph_that_contains_itself_is_refused() -> None:
    one = subgraph("one", [node(1, "two")], [])
    two = subgraph("two", [node(1, "one")], [])
    assert refusal(workflow([node(1, "one")], [], [one, two])).code == "subgraph_cycle"
