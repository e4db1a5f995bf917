"""Picks of ComfyUI's App mode lead to fields of the graph."""

import copy
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.workflows.bindings.app_mode import app_inputs, app_outputs
from app.workflows.bindings.propose import propose
from tests.app.workflows.bindings.graphs import APP_MODE, OBJECT_INFO, Graph

GRAPH, UI = APP_MODE["graph"], APP_MODE["ui"]


def picking(*inputs: Any) -> Graph:
    ui = copy.deepcopy(UI)
    ui["extra"]["linearData"]["inputs"] = list(inputs)
    return ui


def fields(ui: Graph) -> list[list[tuple[str, str]]]:
    return [[(t.node_id, t.input) for t in pick.targets] for pick in app_inputs(ui, GRAPH)]


def test_the_author_decides_what_is_main_and_in_which_order() -> None:
    inputs = propose(GRAPH, OBJECT_INFO, UI).inputs
    main = [one.name for one in inputs if one.group == "main"]
    assert main == ["prompt", "negative_prompt", "size", "steps", "seed"]
    assert inputs[0].help == "A sentence or two."


def test_a_node_is_named_by_number_text_or_widget_id() -> None:
    seed = [[("3", "seed")]]
    assert fields(picking([3, "seed"])) == seed
    assert fields(picking(["3", "seed"])) == seed
    assert fields(picking([f"{UI['id']}:3:seed", "seed"])) == seed
    assert fields(picking(f"{UI['id']}:3:seed")) == seed


def test_a_promoted_widget_is_the_field_inside() -> None:
    assert fields(picking([10, "what"])) == [[("10:6", "text")]]
    assert fields(picking([10, "What to paint"])) == [[("10:6", "text")]]
    assert fields(picking([10, "text"])) == [[("10:7", "text")]], "by properties.proxyWidgets"


def test_a_node_inside_a_subgraph_is_found_by_its_number_alone() -> None:
    assert fields(picking(["7", "text"])) == [[("10:7", "text")]]


def test_a_widget_inside_a_subgraph_is_that_of_every_instance() -> None:
    ui = picking(["d2719c5e-0b1f-4c55-8a4e-6f7a8b9c0d1e:7:text", "text"])
    ui["nodes"].append({"id": 20, "type": "d2719c5e-0b1f-4c55-8a4e-6f7a8b9c0d1e"})
    graph = {**GRAPH, "20:7": GRAPH["10:7"]}
    targets = app_inputs(ui, graph)[0].targets
    assert [t.node_id for t in targets] == ["10:7", "20:7"]


def test_a_primitive_of_the_editor_is_what_it_feeds() -> None:
    assert fields(picking([12, "value"])) == [[("5", "width"), ("5", "height")]]


def test_parts_of_a_widget_id_are_percent_encoded() -> None:
    graph: Graph = {"a b": {"class_type": "X", "inputs": {"c:d": 1}}}
    picks = [[f"{UI['id']}:a%20b:c%3Ad", "c:d"]]
    ui: Graph = {
        "nodes": [{"id": "a b", "type": "X"}],
        "extra": {"linearData": {"inputs": picks}},
    }
    assert [t.input for t in app_inputs(ui, graph)[0].targets] == ["c:d"]


def test_picks_of_what_is_gone_are_left_out() -> None:
    assert fields(picking([99, "x"], [3, "gone"], [3, "model"], [], None, [3])) == []


def test_outputs_come_in_the_order_of_the_author() -> None:
    assert app_outputs(UI, GRAPH) == ["11", "9"]
    assert [o.node_id for o in propose(GRAPH, OBJECT_INFO, UI).outputs] == ["11", "9"]


def test_subgraphs_that_multiply_end() -> None:
    uuids = [f"d2719c5e-0b1f-4c55-8a4e-{n:012x}" for n in range(40)]
    nested = [
        {"id": uuid, "nodes": [{"id": n, "type": inner} for n in range(3)]}
        for uuid, inner in pairwise(uuids)
    ]
    ui: Graph = {
        "nodes": [{"id": 1, "type": uuids[0]}],
        "definitions": {"subgraphs": [*nested, {"id": uuids[-1], "nodes": []}]},
        "extra": {"linearData": {"inputs": [[f"{uuids[-1]}:7:text", "text"]]}},
    }
    assert app_inputs(ui, GRAPH) == [], "3^39 instances hold the last one"


def test_primitives_that_feed_each_other_end() -> None:
    feeding = [{"id": n, "type": "PrimitiveNode", "inputs": [{"name": "value"}]} for n in (1, 2)]
    ui: Graph = {
        "nodes": feeding,
        "links": [[1, 1, 0, 2, 0, "INT"], [2, 2, 0, 1, 0, "INT"]],
        "extra": {"linearData": {"inputs": [[1, "value"]]}},
    }
    assert app_inputs(ui, GRAPH) == []


def test_a_subgraph_that_holds_itself_ends() -> None:
    ui = copy.deepcopy(UI)
    uuid = "d2719c5e-0b1f-4c55-8a4e-6f7a8b9c0d1e"
    ui["definitions"]["subgraphs"][0]["nodes"].append({"id": 8, "type": uuid})
    ui["extra"]["linearData"]["inputs"] = [[f"{uuid}:7:text", "text"]]
    assert [t.node_id for t in app_inputs(ui, GRAPH)[0].targets] == ["10:7"]


JSON = st.recursive(
    st.none() | st.integers(-12, 12) | st.text(max_size=5) | st.sampled_from(["3", "seed", "text"]),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(
                [
                    "nodes",
                    "links",
                    "id",
                    "type",
                    "extra",
                    "linearData",
                    "inputs",
                    "outputs",
                    "definitions",
                    "subgraphs",
                    "name",
                    "properties",
                    "proxyWidgets",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=25,
)


@given(
    ui=st.dictionaries(st.sampled_from(["nodes", "links", "extra", "definitions"]), JSON),
    picks=JSON,
)
def test_any_document_is_read(ui: Graph, picks: Any) -> None:
    ui = {**ui, "extra": {"linearData": {"inputs": picks, "outputs": picks}}}
    app_inputs(ui, GRAPH)
    app_outputs(ui, GRAPH)
