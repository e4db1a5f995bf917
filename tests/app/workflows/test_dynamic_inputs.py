"""Inputs that stand for several, as ComfyUI 0.8 declares them: sample workflows 2, 3 and 4 use them."""

from typing import Any

import pytest

from app.workflows.files import find_files
from app.workflows.graph import Graph, NodeErrors
from app.workflows.sanitise import sanitised
from app.workflows.validate import validate

OBJECT_INFO: dict[str, Any] = {
    "Source": {"input": {}, "output": ["IMAGE", "MASK"]},
    "Batch": {
        "input": {
            "required": {
                "images": [
                    "COMFY_AUTOGROW_V3",
                    {
                        "template": {
                            "input": {"required": {"image": ["IMAGE", {}]}},
                            "prefix": "image",
                            "min": 2,
                            "max": 50,
                        }
                    },
                ]
            }
        },
        "output": ["IMAGE"],
    },
    "Resize": {
        "input": {
            "required": {
                "input": [
                    "COMFY_MATCHTYPE_V3",
                    {"template": {"template_id": "t", "allowed_types": "IMAGE,MASK"}},
                ],
                "by": [
                    "COMFY_DYNAMICCOMBO_V3",
                    {
                        "options": [
                            {
                                "key": "width",
                                "inputs": {"required": {"width": ["INT", {"max": 9}]}},
                            },
                            {
                                "key": "like",
                                "inputs": {"required": {"file": [[], {"image_upload": True}]}},
                            },
                        ]
                    },
                ],
            }
        },
        "output": ["COMFY_MATCHTYPE_V3"],
    },
    "Future": {"input": {"required": {"things": ["COMFY_LATER_V4", {}]}}, "output": ["IMAGE"]},
    "Save": {"input": {"required": {"images": ["IMAGE"]}}, "output": [], "output_node": True},
}


def problems_of(class_type: str, **inputs: Any) -> list[tuple[str, str]]:
    errors = NodeErrors()
    validate(graph_of(class_type, inputs), OBJECT_INFO, errors)
    return [(p["field"], p["reason"]) for p in errors.get("2", [])]


def graph_of(class_type: str, inputs: dict[str, Any]) -> Graph:
    return {
        "1": {"class_type": "Source", "inputs": {}},
        "2": {"class_type": class_type, "inputs": inputs},
        "3": {"class_type": "Save", "inputs": {"images": ["2", 0]}},
    }


def test_a_growing_input_is_given_by_its_members() -> None:
    members = {f"images.image{n}": ["1", 0] for n in range(3)}

    assert problems_of("Batch", **members) == []
    assert sanitised(graph_of("Batch", members), OBJECT_INFO)["2"]["inputs"] == members


def test_the_first_members_are_required_and_all_have_a_type() -> None:
    assert problems_of("Batch", **{"images.image0": ["1", 0], "images.image2": ["1", 1]}) == [
        ("images.image1", "missing_input"),
        ("images.image2", "type_mismatch"),
    ]


@pytest.mark.parametrize(
    ("inputs", "problems"),
    [
        ({"by": "width", "by.width": 5}, []),
        ({"by": "width"}, [("by.width", "missing_input")]),
        ({"by": "width", "by.width": 10}, [("by.width", "too_large")]),
        ({"by": "height", "by.width": 5}, [("by", "not_in_list")]),
        ({}, [("by", "missing_input")]),
    ],
    ids=str,
)
def test_an_option_has_inputs_of_its_own(
    inputs: dict[str, Any], problems: list[tuple[str, str]]
) -> None:
    assert problems_of("Resize", input=["1", 1], **inputs) == problems


def test_a_file_below_an_option_is_a_file() -> None:
    graph = graph_of("Resize", {"input": ["1", 0], "by": "like", "by.file": "photo.png"})

    assert find_files(graph, OBJECT_INFO).paths == ["photo.png"]


def test_a_kind_that_came_later_is_left_to_comfyui() -> None:
    assert problems_of("Future", **{"things.a": 1}) == []
    assert problems_of("Future") == [("things", "missing_input")]
