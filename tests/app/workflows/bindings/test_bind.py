"""Values of a caller go into the graph, or every one that does not is named."""

import copy
import math
from random import Random
from typing import Any
from uuid import UUID

import jsonschema_rs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.workflows.bindings.bind import MAX_DRAWN, MAX_FAULTS, InvalidInputsError, bind
from app.workflows.bindings.models import Bindings, InputBinding, Target
from app.workflows.bindings.propose import propose
from app.workflows.bindings.schema import inputs_schema
from app.workflows.bindings.values import MAX_TEXT_LENGTH, MOST_INTEGER
from app.workflows.files import find_files
from tests.app.workflows.bindings.graphs import OBJECT_INFO, TEMPLATES, Graph

ASSET = "01a20ed5-0261-7350-a2b2-c7082f2b0b87"
GRAPH: Graph = {"1": {"class_type": "X", "inputs": {"a": "old", "b": "old", "kept": 1}}}


def _chance(state: int) -> Random:
    return Random(state)  # noqa: S311 - a draw that a test can repeat


def one(kind: Any, **more: Any) -> Bindings:
    targets = (Target(node_id="1", input="a"), Target(node_id="1", input="b"))
    return Bindings(inputs=(InputBinding(name="it", targets=targets, type=kind, **more),))


def put(bindings: Bindings, value: Any) -> Any:
    return bind(GRAPH, bindings, {"it": value}).graph["1"]["inputs"]["a"]


def code(bindings: Bindings, values: Any) -> str:
    with pytest.raises(InvalidInputsError) as caught:
        bind(GRAPH, bindings, values)
    (fault,) = caught.value.faults
    assert fault.message
    return fault.code


def test_a_value_stands_in_every_target_and_the_graph_stays() -> None:
    before = copy.deepcopy(GRAPH)
    bound = bind(GRAPH, one("text"), {"it": "new"})
    assert bound.graph["1"]["inputs"] == {"a": "new", "b": "new", "kept": 1}
    assert bound.values == {"it": "new"}
    assert before == GRAPH


def test_all_faults_come_at_once() -> None:
    bindings = propose(TEMPLATES["flux1_krea_dev"], OBJECT_INFO)
    values = {
        "prompt": 7,
        "width": "1024",
        "height": 99_999,
        "steps": 0,
        "cfg": True,
        "sampler": "fast",
        "promt": "x",
    }
    with pytest.raises(InvalidInputsError) as caught:
        bind(TEMPLATES["flux1_krea_dev"], bindings, values)
    error = caught.value
    assert {fault.name: fault.code for fault in error.faults} == {
        "promt": "unknown_input",
        "prompt": "wrong_type",
        "width": "wrong_type",
        "height": "too_large",
        "steps": "too_small",
        "cfg": "wrong_type",
        "sampler": "not_a_choice",
    }
    assert (error.status, error.code) == (422, "invalid_inputs")
    assert error.details is not None
    assert error.details["errors"][0] == {
        "field": "promt",
        "reason": "unknown_input",
        "message": "There is no such input. Did you mean 'prompt'?",
    }


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", "64"),
        ("integer", 1.5),
        ("integer", True),
        ("integer", math.inf),
        ("number", "1.5"),
        ("number", False),
        ("number", math.nan),
        ("boolean", 1),
        ("boolean", "true"),
        ("text", 5),
        ("text", None),
        ("seed", "7"),
        ("seed", "RANDOM"),
        ("file", 5),
        ("file", {"id": ASSET}),
        ("file", [ASSET]),
    ],
)
def test_nothing_is_turned_into_another_type(kind: str, value: Any) -> None:
    assert code(one(kind), {"it": value}) == "wrong_type"


def test_a_whole_float_is_an_integer_as_in_json_schema() -> None:
    assert put(one("integer"), 64.0) == 64
    assert isinstance(put(one("integer"), 64.0), int)
    assert put(one("number"), 2) == 2


def test_limits_are_themselves_allowed() -> None:
    bindings = one("number", minimum=0, maximum=1)
    assert put(bindings, 0) == 0
    assert put(bindings, 1.0) == 1.0
    assert code(bindings, {"it": -0.01}) == "too_small"
    assert code(bindings, {"it": 1.01}) == "too_large"


def test_an_integer_without_limits_is_one_that_json_carries() -> None:
    assert put(one("integer"), MOST_INTEGER) == MOST_INTEGER
    assert code(one("integer"), {"it": MOST_INTEGER + 1}) == "too_large"
    assert code(one("number"), {"it": 10**400}) == "too_large"


def test_a_choice_is_of_the_type_of_the_choice() -> None:
    bindings = one("choice", choices=(1, "a"))
    assert put(bindings, 1) == 1
    assert code(bindings, {"it": True}) == "not_a_choice"
    assert code(bindings, {"it": "1"}) == "not_a_choice"


def test_a_text_has_an_end_and_is_unicode() -> None:
    assert put(one("text"), "") == ""
    assert code(one("text"), {"it": "x" * (MAX_TEXT_LENGTH + 1)}) == "too_long"
    assert code(one("text"), {"it": "a\x00"}) == "invalid_text"
    assert code(one("text"), {"it": "\ud800"}) == "invalid_text"


def test_what_is_needed_is_asked_for() -> None:
    assert code(one("text", required=True), {}) == "missing_input"
    assert code(one("text", required=True), {"it": None}) == "wrong_type"


def test_what_is_left_out_has_its_default_or_what_stands_in_the_graph() -> None:
    assert bind(GRAPH, one("text", default="d"), {}).graph["1"]["inputs"]["a"] == "d"
    untouched = bind(GRAPH, one("text"), {})
    assert untouched.graph == GRAPH
    assert untouched.values == {}


def test_a_seed_is_drawn_only_when_asked_for() -> None:
    fixed = one("seed", default=5)
    assert bind(GRAPH, fixed, {}).drawn == {}
    drawn = bind(GRAPH, fixed, {"it": "random"}, random=_chance(3))
    assert drawn.drawn == drawn.values == {"it": drawn.graph["1"]["inputs"]["a"]}
    again = bind(GRAPH, fixed, {"it": "random"}, random=_chance(3))
    assert again.values == drawn.values
    lively = one("seed", random_when_omitted=True)
    assert bind(GRAPH, lively, {}).drawn
    assert bind(GRAPH, lively, {"it": 4}).drawn == {}


@given(low=st.integers(0, MOST_INTEGER), width=st.integers(0, 1000), state=st.integers())
def test_a_drawn_seed_is_in_range(low: int, width: int, state: int) -> None:
    high = min(low + width, MOST_INTEGER)
    bindings = one("seed", minimum=low, maximum=high)
    seed = bind(GRAPH, bindings, {"it": "random"}, random=_chance(state)).drawn["it"]
    assert low <= seed <= high


def test_a_drawn_seed_is_shown_exactly_by_javascript() -> None:
    bindings = one("seed", minimum=0, maximum=MOST_INTEGER)
    drawn = [
        bind(GRAPH, bindings, {"it": "random"}, random=_chance(n)).drawn["it"] for n in range(50)
    ]
    assert max(drawn) <= MAX_DRAWN


def test_a_file_is_an_id_a_path_or_a_handle() -> None:
    handle = {"__type": "core/ASSET", "info": {"id": ASSET}}
    assert put(one("file"), ASSET) == handle
    assert put(one("file"), ASSET.upper()) == handle
    assert put(one("file"), {**handle, "info": {"id": ASSET, "hash": "blake3:00"}}) == handle
    assert put(one("file"), "folder/photo.png") == "folder/photo.png"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("../secret.png", "path_not_allowed"),
        ("/etc/passwd", "path_not_allowed"),
        ("old.png [output]", "path_not_allowed"),
        ("C:\\a.png", "path_not_allowed"),
        ("https://example.com/a.png", "url_not_taken"),
        ("", "invalid_file"),
        ("x" * 2_000, "invalid_file"),
        ({"__type": "core/ASSET", "info": {"id": "nope"}}, "invalid_file"),
        ({"__type": "core/ASSET"}, "invalid_file"),
    ],
)
def test_a_file_of_somewhere_else_is_refused(value: Any, expected: str) -> None:
    assert code(one("file"), {"it": value}) == expected


def test_a_bound_file_is_found_as_that_of_a_submitted_graph() -> None:
    graph = TEMPLATES["image_qwen_image_edit"]
    bindings = propose(graph, OBJECT_INFO)
    by_id = find_files(bind(graph, bindings, {"image": ASSET}).graph, OBJECT_INFO)
    assert by_id.asset_ids == [UUID(ASSET)]
    by_path = find_files(bind(graph, bindings, {"image": "cat.png"}).graph, OBJECT_INFO)
    assert by_path.paths == ["cat.png"]


def test_a_flood_of_unknown_names_is_not_echoed_whole() -> None:
    with pytest.raises(InvalidInputsError) as caught:
        bind(GRAPH, one("text"), {f"x{i}" * 50: i for i in range(10_000)})
    assert len(caught.value.faults) == MAX_FAULTS
    assert len(orjson.dumps(caught.value.details)) < 50_000


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(), max_size=12)
    | st.sampled_from(["random", "euler", ASSET, "a.png", "../a"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
KREA = TEMPLATES["flux1_krea_dev"]
KREA_BINDINGS = propose(KREA, OBJECT_INFO)
EDIT = TEMPLATES["image_qwen_image_edit"]
EDIT_BINDINGS = propose(EDIT, OBJECT_INFO)


@given(
    values=st.dictionaries(
        st.sampled_from([b.name for b in KREA_BINDINGS.inputs]) | st.text(max_size=6),
        VALUES,
        max_size=8,
    )
)
def test_any_values_are_bound_or_refused(values: dict[str, Any]) -> None:
    try:
        bound = bind(KREA, KREA_BINDINGS, values)
    except InvalidInputsError as error:
        orjson.dumps(error.details)
        return
    orjson.dumps(bound.graph)
    assert bind(KREA, KREA_BINDINGS, bound.values).graph == bound.graph


JSON_VALUES = VALUES.filter(lambda value: _is_json(value))


def _is_json(value: Any) -> bool:
    try:
        return orjson.loads(orjson.dumps(value)) == value
    except (TypeError, ValueError):
        return False


@given(binding=st.sampled_from([*KREA_BINDINGS.inputs, *EDIT_BINDINGS.inputs]), value=JSON_VALUES)
def test_the_schema_takes_what_bind_takes(binding: InputBinding, value: Any) -> None:
    bindings = Bindings(inputs=(binding,))
    graph: Graph = {t.node_id: {"class_type": "X", "inputs": {}} for t in binding.targets}
    try:
        bind(graph, bindings, {binding.name: value})
    except InvalidInputsError as error:
        # What a schema cannot say of a text and a file name.
        unsaid = {"invalid_text", "path_not_allowed", "url_not_taken", "invalid_file"}
        is_taken = {fault.code for fault in error.faults} <= unsaid
        if is_taken:
            return
    else:
        is_taken = True
    validator = jsonschema_rs.validator_for(inputs_schema(bindings))
    assert validator.is_valid({binding.name: value}) == is_taken
