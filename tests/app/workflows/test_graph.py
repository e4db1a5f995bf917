"""Pure rules about graphs: what is one, what is wrong with it, what of it is executed."""

import contextlib
import copy
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import AppError
from app.workflows.files import find_files, place_files
from app.workflows.graph import NodeErrors, check_structure, links
from app.workflows.object_info import input_specs, types_match
from app.workflows.sanitise import path_problem, reachable_nodes, sanitised
from app.workflows.validate import find_cycle, validate
from tests.app.front_door import OBJECT_INFO, POSTER

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)
NODE_IDS = st.sampled_from(["1", "2", "3", "4"])
INPUTS = st.dictionaries(
    st.sampled_from(["image", "images", "prompt", "seed", "width", "x"]),
    st.tuples(NODE_IDS, st.integers(-1, 3)).map(list) | JSON,
    max_size=4,
)
GRAPHS = st.dictionaries(
    NODE_IDS,
    st.fixed_dictionaries(
        {"class_type": st.sampled_from([*OBJECT_INFO, "Nope"]), "inputs": INPUTS}
    ),
    min_size=1,
    max_size=4,
)


@given(JSON)
def test_any_json_is_a_graph_or_is_refused_with_a_code(value: Any) -> None:
    if isinstance(value, dict):
        with contextlib.suppress(AppError):
            check_structure(cast(dict[str, Any], value), 100)


@given(GRAPHS)
def test_any_graph_is_judged_without_a_crash(graph: dict[str, Any]) -> None:
    for known in (OBJECT_INFO, None):
        errors = NodeErrors()
        validate(graph, known, errors)
        assert set(errors) <= set(graph)


@given(GRAPHS)
def test_what_is_executed_is_a_part_of_what_was_sent(graph: dict[str, Any]) -> None:
    errors = NodeErrors()
    validate(graph, OBJECT_INFO, errors)
    if errors:
        return
    kept = sanitised(graph, OBJECT_INFO)
    assert kept
    for node_id, node in kept.items():
        assert node["class_type"] == graph[node_id]["class_type"]
        assert node["inputs"].items() <= graph[node_id]["inputs"].items()


@given(GRAPHS)
def test_a_cycle_that_is_found_is_one(graph: dict[str, Any]) -> None:
    cycle = find_cycle(graph)
    if cycle is None:
        return
    assert cycle[0] == cycle[-1]
    for source, target in pairwise(cycle):
        assert target in [link.node_id for _, link in links(graph[source])]


def test_a_chain_of_five_thousand_nodes_is_judged() -> None:
    graph: dict[str, Any] = {
        str(n): {
            "class_type": "Scale",
            "inputs": {"image": [str(n + 1), 0], "method": "area", "width": 9},
        }
        for n in range(4_998)
    }
    graph["4998"] = POSTER["1"]
    graph["s"] = {"class_type": "SaveImage", "inputs": {"images": ["0", 0], "filename_prefix": "x"}}
    errors = NodeErrors()
    validate(graph, OBJECT_INFO, errors)
    assert errors == {}
    assert len(sanitised(graph, OBJECT_INFO)) == 5_000


def test_the_doors_to_a_zombie_are_closed() -> None:
    graph = copy.deepcopy(POSTER)
    graph["1"]["inputs"]["unknown"] = ["absent", 0]
    graph["9"] = {"class_type": "Poster", "inputs": {"prompt": "unreachable", "seed": 0}}
    assert reachable_nodes(graph, OBJECT_INFO) == {"1", "2"}
    kept = sanitised(graph, OBJECT_INFO)
    assert set(kept) == {"1", "2"}
    assert "unknown" not in kept["1"]["inputs"]


def test_dotted_inputs_of_a_known_input_stay() -> None:
    graph = copy.deepcopy(POSTER)
    graph["1"]["inputs"]["seed.extra"] = 1
    assert "seed.extra" in sanitised(graph, OBJECT_INFO)["1"]["inputs"]


def test_both_notations_of_a_combo_are_read() -> None:
    old = {"input": {"required": {"a": [["x", "y"], {"default": "x"}]}}}
    new = {"input": {"required": {"a": ["COMBO", {"options": ["x", "y"]}]}}}
    for node_class in (old, new):
        [spec] = input_specs(node_class)
        assert (spec.type, spec.choices) == ("COMBO", ["x", "y"])


@pytest.mark.parametrize(
    ("offered", "wanted", "match"),
    [
        ("IMAGE", "IMAGE", True),
        ("IMAGE", "MASK", False),
        ("*", "MASK", True),
        ("IMAGE", "*", True),
        ("INT", "INT,FLOAT", True),
        ("STRING", "COMBO", True),
        ("IMAGE", "COMBO", False),
    ],
)
def test_types_match_as_in_comfyui(offered: str, wanted: str, match: bool) -> None:  # noqa: FBT001
    assert types_match(offered, wanted) is match


@pytest.mark.parametrize("path", ["photo.png", "sub/photo.png", "a..b.png", "[x].png", "…/x"])
def test_ordinary_paths_are_free(path: str) -> None:
    assert path_problem(path) is None


def test_a_graph_is_copied_not_changed_when_files_are_placed() -> None:
    asset_id = "0192e4a0-0000-7000-8000-000000000000"
    handle = {"__type": "core/ASSET", "info": {"id": asset_id}}
    graph = {"1": {"class_type": "LoadImage", "inputs": {"image": handle, "list": [[handle]]}}}
    before = copy.deepcopy(graph)
    refs = find_files(graph, OBJECT_INFO)
    placed = place_files(graph, refs, {asset_id: "there.png"})
    assert graph == before
    assert placed["1"]["inputs"] == {"image": "there.png", "list": [["there.png"]]}
