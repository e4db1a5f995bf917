"""The schema of a workflow is one that others read, and says what a form needs."""

import jsonschema_rs

from app.workflows.bindings.models import Bindings
from app.workflows.bindings.propose import propose
from app.workflows.bindings.schema import inputs_schema, outputs_description
from tests.app.workflows.bindings.graphs import ALL, OBJECT_INFO

EDIT = propose(ALL["image_qwen_image_edit"], OBJECT_INFO)
SCHEMA = inputs_schema(EDIT)


def test_every_schema_is_one_of_draft_2020_12() -> None:
    for graph in ALL.values():
        schema = inputs_schema(propose(graph, OBJECT_INFO))
        assert jsonschema_rs.meta.is_valid(schema)


def test_the_defaults_are_valid() -> None:
    for graph in ALL.values():
        bindings = propose(graph, OBJECT_INFO)
        validator = jsonschema_rs.validator_for(inputs_schema(bindings))
        given = {one.name: one.default for one in bindings.inputs if one.default is not None}
        assert validator.is_valid(given)


def test_a_seed_is_an_integer_or_a_word() -> None:
    validator = jsonschema_rs.validator_for(SCHEMA)
    assert validator.is_valid({"seed": 1})
    assert validator.is_valid({"seed": "random"})
    assert not validator.is_valid({"seed": "1"})


def test_a_file_is_a_name_or_a_handle() -> None:
    validator = jsonschema_rs.validator_for(SCHEMA)
    handle = {"__type": "core/ASSET", "info": {"id": "01a20ed5-0261-7350-a2b2-c7082f2b0b87"}}
    assert validator.is_valid({"image": handle})
    assert validator.is_valid({"image": "cat.png"})
    assert not validator.is_valid({"image": {"id": "x"}})


def test_unknown_names_are_refused() -> None:
    assert not jsonschema_rs.validator_for(SCHEMA).is_valid({"promt": "x"})


def test_a_form_knows_order_group_unit_and_kind() -> None:
    properties = SCHEMA["properties"]
    assert list(properties) == [one.name for one in EDIT.inputs]
    assert properties["image"]["x-file-kind"] == "image"
    assert properties["prompt"]["x-multiline"] is True
    assert properties["prompt"]["title"] == "Prompt"
    assert properties["steps"]["x-group"] == "advanced"
    assert [one["x-order"] for one in properties.values()] == list(range(len(EDIT.inputs)))
    krea = inputs_schema(propose(ALL["flux1_krea_dev"], OBJECT_INFO))["properties"]["width"]
    assert (krea["x-unit"], krea["x-step"], krea["minimum"]) == ("px", 16, 16)
    assert "multipleOf" not in krea, "ComfyUI takes what lies between the steps of a form"


def test_what_is_needed_is_required() -> None:
    needed = EDIT.inputs[0].model_copy(update={"required": True})
    assert inputs_schema(Bindings(inputs=(needed,)))["required"] == [needed.name]


def test_outputs_are_told_apart_by_their_node() -> None:
    assert outputs_description(EDIT) == [
        {"name": "image", "kind": "image", "label": "Image", "node_id": "60"}
    ]
