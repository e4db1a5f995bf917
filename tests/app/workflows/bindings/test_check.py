"""Bindings that somebody edited are held against the graph and its nodes, every fault at once."""

from typing import Any

import pytest

from app.workflows.bindings.check import check
from app.workflows.bindings.models import Bindings, InputBinding, OutputBinding, Target
from app.workflows.bindings.propose import propose
from tests.app.workflows.bindings.graphs import OBJECT_INFO, TEMPLATES

GRAPH = TEMPLATES["sd3.5_large_canny_controlnet_example"]
SAMPLER, LATENT, LOADER, CHECKPOINT, SAVE = "3", "33", "45", "4", "9"


def one(node_id: str, field: str, kind: Any, **more: Any) -> InputBinding:
    return InputBinding(
        name=more.pop("name", "it"),
        targets=(Target(node_id=node_id, input=field),),
        type=kind,
        **more,
    )


def codes(*inputs: InputBinding, outputs: tuple[OutputBinding, ...] = ()) -> list[tuple[str, str]]:
    faults = check(Bindings(inputs=inputs, outputs=outputs), GRAPH, OBJECT_INFO)
    assert all(fault.message.endswith(".") for fault in faults)
    return [(fault.name, fault.code) for fault in faults]


@pytest.mark.parametrize(
    ("binding", "code"),
    [
        (one("99", "seed", "seed"), "unknown_node"),
        (one(SAMPLER, "sede", "seed"), "unknown_field"),
        (one(SAMPLER, "model", "text"), "no_value"),
        (one(SAMPLER, "seed", "text"), "type_mismatch"),
        (one(SAMPLER, "seed", "number"), "type_mismatch"),
        (one(SAMPLER, "cfg", "boolean"), "type_mismatch"),
        (one("6", "text", "integer"), "type_mismatch"),
        (one(SAMPLER, "sampler_name", "text"), "type_mismatch"),
        (one(SAMPLER, "sampler_name", "file"), "type_mismatch"),
        (one(SAMPLER, "steps", "choice", choices=("a",)), "type_mismatch"),
        (one(SAMPLER, "scheduler", "choice", choices=("normal", "odd")), "unknown_choice"),
        (one(SAMPLER, "scheduler", "choice"), "missing_choices"),
        (one(SAMPLER, "steps", "integer", minimum=20, maximum=10), "empty_range"),
        (one(SAMPLER, "steps", "integer", minimum=20_000), "range_outside"),
        (one(SAMPLER, "steps", "integer", maximum=0), "range_outside"),
        (one("6", "text", "text", minimum=1), "range_not_used"),
        (one(SAMPLER, "steps", "integer", choices=(1,)), "choices_not_used"),
        (one(SAMPLER, "steps", "integer", file_kind="image"), "file_kind_not_used"),
        (one(SAMPLER, "steps", "integer", random_when_omitted=True), "random_not_used"),
        (one(SAMPLER, "steps", "integer", default="20"), "bad_default"),
        (one(SAMPLER, "steps", "integer", default=5, minimum=10), "bad_default"),
        (one(SAMPLER, "seed", "seed", default="random"), "bad_default"),
        (one(LOADER, "image", "file", default="../a.png"), "bad_default"),
    ],
)
def test_a_fault_has_a_code(binding: InputBinding, code: str) -> None:
    assert codes(binding) == [("it", code)]


@pytest.mark.parametrize(
    "binding",
    [
        one(SAMPLER, "cfg", "integer"),
        one(SAMPLER, "cfg", "choice", choices=(1, 2.5)),
        one(SAMPLER, "steps", "choice", choices=(10, 20)),
        one(SAMPLER, "scheduler", "choice", choices=("normal", "karras")),
        one(SAMPLER, "seed", "seed", random_when_omitted=True),
        one(LOADER, "image", "file", file_kind="image"),
        one(LOADER, "image", "choice", choices=("a.png", "b.png")),
        one(CHECKPOINT, "ckpt_name", "choice", choices=("not here.safetensors",)),
        one(CHECKPOINT, "ckpt_name", "text"),
        one(SAMPLER, "steps", "integer", minimum=1, maximum=10**9),
    ],
)
def test_what_fits_has_no_fault(binding: InputBinding) -> None:
    assert codes(binding) == []


def test_all_faults_come_at_once() -> None:
    found = codes(
        one(SAMPLER, "seed", "text"),
        one(SAMPLER, "seed", "seed", name="other"),
        one(LATENT, "width", "integer", default=1),
        outputs=(
            OutputBinding(name="a", node_id=SAVE, kind="image"),
            OutputBinding(name="a", node_id=SAMPLER, kind="image"),
            OutputBinding(name="b", node_id="99", kind="image"),
        ),
    )
    assert found == [
        ("it", "type_mismatch"),
        ("other", "field_taken"),
        ("it", "duplicate_name"),
        ("a", "duplicate_name"),
        ("a", "not_an_output"),
        ("b", "unknown_node"),
    ]


def test_without_object_info_the_graph_alone_is_asked() -> None:
    bindings = Bindings(inputs=(one(SAMPLER, "anything", "text"), one("99", "x", "text", name="b")))
    assert [fault.code for fault in check(bindings, GRAPH, None)] == ["unknown_node"]


def test_a_field_of_a_dynamic_input_is_one() -> None:
    graph = TEMPLATES["image_qwen_Image_2512_controlnet"]
    bindings = propose(graph, OBJECT_INFO)
    node_id = next(i for i, n in graph.items() if n["class_type"] == "ResizeImageMaskNode")
    nested = next(name for name in graph[node_id]["inputs"] if "." in name)
    added = one(node_id, nested, "integer", minimum=1, maximum=4096)
    assert check(Bindings(inputs=(*bindings.inputs, added)), graph, OBJECT_INFO) == []
