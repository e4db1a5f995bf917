"""Any JSON at all: a graph or a clear refusal, never another exception, and no work beyond bounds."""

import copy
import sys
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from app.workflows.convert.convert import Converted, convert
from app.workflows.convert.expand import MAX_DEPTH, MAX_NODES
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
from tests.app.workflows.convert.report import object_info
from tests.app.workflows.convert.test_rules import cases, refusal

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5)
    ),
    max_leaves=20,
)
NAMES = ("id", "type", "mode", "inputs", "outputs", "name", "link", "links", "widget", "linkIds")
PIECES = st.recursive(
    st.none()
    | st.integers(-20, 5)
    | st.sampled_from(["1", "Make", "Save", "s", "Reroute", "SetNode", ""]),
    lambda inner: (
        st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6)
    ),
    max_leaves=40,
)


def outcome(ui: Any, known: Any) -> Converted | ConversionRefusedError:
    """Either; any other exception fails the test."""
    try:
        return convert(ui, known)
    except ConversionRefusedError as error:
        return error


@given(st.dictionaries(st.sampled_from(["nodes", "links", "definitions", "extra"]), JSON))
def test_any_json_ends_well(ui: dict[str, Any]) -> None:
    outcome(ui, OBJECT_INFO)


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=6), st.lists(PIECES, max_size=6), st.lists(PIECES, max_size=3))
def test_any_pieces_of_a_workflow_end_well(
    nodes: list[Any], links: list[Any], inner: list[Any]
) -> None:
    outcome({"nodes": nodes, "links": links, "definitions": {"subgraphs": inner}}, OBJECT_INFO)


@settings(max_examples=300)
@given(st.sampled_from(sorted(cases())), st.data())
def test_a_workflow_with_anything_in_one_place_ends_well(name: str, data: st.DataObject) -> None:
    ui = copy.deepcopy(cases()[name]["ui"])
    at: dict[Any, Any] | list[Any] = ui
    while keys := list(at) if isinstance(at, dict) else list(range(len(at))):
        key = data.draw(st.sampled_from(keys))
        inner: Any = at[key]
        if not isinstance(inner, (dict, list)) or not data.draw(st.booleans()):
            at[key] = data.draw(PIECES)
            break
        at = cast("dict[Any, Any] | list[Any]", inner)
    outcome(ui, object_info())


def test_subgraphs_that_unfold_to_billions_of_nodes_are_refused() -> None:
    # Each holds the next one ten times: a file of some kilobytes, ten to the twelfth of nodes.
    levels = [subgraph(f"l{n}", [node(i, f"l{n + 1}") for i in range(10)], []) for n in range(12)]
    last = subgraph("l12", [node(1, "Make")], [])
    error = refusal(workflow([node(1, "l0")], [], [*levels, last]))
    assert (error.code, error.details["max_nodes"]) == ("too_many_nodes", MAX_NODES)


def test_subgraphs_nested_beyond_reason_are_refused() -> None:
    levels = [subgraph(f"l{n}", [node(1, f"l{n + 1}")], []) for n in range(MAX_DEPTH + 2)]
    assert refusal(workflow([node(1, "l0")], [], levels)).code == "subgraphs_too_deep"


def test_groups_that_unfold_to_too_many_nodes_are_refused() -> None:
    group = {"nodes": [{"type": "Make"}] * 1_000}
    nodes = [node(i, "workflow>g") for i in range(1_000)]
    assert refusal(workflow(nodes, [], groupNodes={"g": group})).code == "too_many_nodes"


def test_subgraphs_that_unfold_to_too_many_inputs_are_refused() -> None:
    wide = subgraph("wide", [], [], [(f"i{n}", n) for n in range(200)])
    assert refusal(workflow([node(i, "wide") for i in range(1_000)], [], [wide])).code == (
        "too_many_nodes"
    )


def test_group_links_that_unfold_to_too_many_are_refused() -> None:
    group = {"nodes": [{"type": "Make"}], "links": [[0, 0, 0, 0]] * 10_000}
    nodes = [node(i, "workflow>g") for i in range(100)]
    assert refusal(workflow(nodes, [], groupNodes={"g": group})).code == "too_many_nodes"


def test_a_long_chain_of_reroutes_is_followed_without_recursion() -> None:
    length = 3 * sys.getrecursionlimit()
    chain = [node(i, "Reroute", [slot("", i)]) for i in range(2, length)]
    links = [(i, i - 1, 0, i, 0) for i in range(2, length + 1)]
    graph = convert(
        workflow([node(1, "Make"), *chain, save(length, length)], links), OBJECT_INFO
    ).graph
    assert graph[str(length)]["inputs"]["images"] == ["1", 0]


def test_what_many_inputs_share_is_followed_once() -> None:
    # A thousand ends of one chain of a thousand: looked through once each that is a million steps.
    length, ends = 1_000, 1_000
    chain = [node(i, "Reroute", [slot("", i)]) for i in range(2, length)]
    links = [(i, i - 1, 0, i, 0) for i in range(2, length + 1)]
    links += [(length + i, length - 1, 0, length + i, 0) for i in range(1, ends)]
    savers = [save(length + i, length + i) for i in range(ends)]
    steps = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal steps
        steps += event == "call"

    ui = workflow([node(1, "Make"), *chain, *savers], links)
    sys.setprofile(count)
    try:
        convert(ui, OBJECT_INFO)
    finally:
        sys.setprofile(None)
    assert steps < 300 * (length + ends)


def test_a_value_promoted_through_many_levels_arrives() -> None:
    depth = MAX_DEPTH - 1
    drawn = node(1, "Make", [slot("width", 1, widget=True)], [3])
    levels = [
        subgraph("l0", [drawn], [(1, IN, 0, 1, 0), (2, 1, 0, OUT, 0)], [("width", 1)], [("o", 2)])
    ]
    for n in range(1, depth):
        inner = node(1, f"l{n - 1}", [slot("width", 1, widget=True)])
        links = [(1, IN, 0, 1, 0), (2, 1, 0, OUT, 0)]
        levels.append(subgraph(f"l{n}", [inner], links, [("width", 1)], [("o", 2)]))
    top = node(1, f"l{depth - 1}", [slot("width", None, widget=True)], [77])
    graph = convert(workflow([top, save(2, 1)], [(1, 1, 0, 2, 0)], levels), OBJECT_INFO).graph
    assert [n["inputs"]["width"] for n in graph.values() if n["class_type"] == "Make"] == [77]
