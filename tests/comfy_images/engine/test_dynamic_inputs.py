"""Inputs that stand for several: what they ask for, and how a node gets them."""

from typing import Any

import pytest

from comfy_images.engine.dynamic_inputs import nested
from tests.comfy_images.engine.client import EngineClient
from tests.comfy_images.engine.graphs import empty, node, preview, save


async def _errors(client: EngineClient, **prompt: Any) -> list[tuple[str, str]]:
    """(type, details) of what is wrong with the node `x`."""
    answer = await client.post("/prompt", {"prompt": {**prompt, "1": empty(), "s": preview("x")}})
    assert answer.status == 400
    errors = answer.body["node_errors"]["x"]["errors"]
    return [(error["type"], error["details"]) for error in errors]


def test_dotted_names_are_gathered_and_a_head_keeps_its_own_value() -> None:
    assert nested({"a": 1, "images.image0": 2, "images.image1": 3}) == {
        "a": 1,
        "images": {"image0": 2, "image1": 3},
    }
    assert nested({"way": "wide", "way.width": 4}) == {"way": {"way": "wide", "width": 4}}


async def test_a_growing_input_asks_for_the_first_two(client: EngineClient) -> None:
    one = node("BatchImagesNode", **{"images.image0": ["1", 0]})

    assert await _errors(client, x=one) == [("required_input_missing", "images.image1")]


async def test_a_growing_input_takes_links_of_its_type_alone(client: EngineClient) -> None:
    text = node("PrimitiveString", value="t")
    images = {"images.image0": ["1", 0], "images.image1": ["t", 0]}

    [(kind, _)] = await _errors(client, t=text, x=node("BatchImagesNode", **images))

    assert kind == "return_type_mismatch"


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ({}, ("required_input_missing", "resize_type")),
        ({"resize_type": "scale width"}, ("required_input_missing", "resize_type.width")),
        (
            {"resize_type": "scale width", "resize_type.width": -1},
            ("value_smaller_than_min", "resize_type.width"),
        ),
    ],
)
async def test_a_choice_asks_for_what_belongs_to_it(
    client: EngineClient, inputs: Any, error: tuple[str, str]
) -> None:
    resize = node("ResizeImageMaskNode", input=["1", 0], scale_method="area", **inputs)

    assert await _errors(client, x=resize) == [error]


async def test_a_choice_that_there_is_not_is_refused(client: EngineClient) -> None:
    inputs: Any = {"input": ["1", 0], "resize_type": "bogus", "scale_method": "area"}

    [(kind, details)] = await _errors(client, x=node("ResizeImageMaskNode", **inputs))

    assert kind == "value_not_in_list"
    assert "scale longer dimension" in details


async def test_members_are_converted_and_part_of_the_cache_key(client: EngineClient) -> None:
    def resized(width: Any) -> Any:
        inputs = {"resize_type": "scale width", "resize_type.width": width}
        x = node("ResizeImageMaskNode", input=["1", 0], scale_method="area", **inputs)
        return {"1": empty(1), "x": x, "n": node("GetImageSize", image=["x", 0])} | {
            "p": node("PreviewAny", source=["n", 0])
        }

    assert (await client.run(resized("32")))["outputs"]["p"] == {"text": ["32"]}
    assert (await client.run(resized(16)))["outputs"]["p"] == {"text": ["16"]}


async def test_a_link_in_a_member_runs_what_it_needs(client: EngineClient) -> None:
    prompt = {
        "1": empty(1),
        "2": empty(2, width=20, height=10),
        "x": node(
            "ResizeImageMaskNode",
            input=["1", 0],
            resize_type="match size",
            scale_method="area",
            **{"resize_type.match": ["2", 0], "resize_type.crop": "disabled"},
        ),
        "n": node("GetImageSize", image=["x", 0]),
        "p": node("PreviewAny", source=["n", 0]),
    }

    assert (await client.run(prompt))["outputs"]["p"] == {"text": ["20"]}


async def test_a_switch_computes_the_chosen_side_alone(client: EngineClient) -> None:
    failing = node("BurstProbeError", kind="ValueError", message="never")
    prompt = {
        "good": empty(5),
        "bad": failing,
        "x": node("ComfySwitchNode", switch=True, on_true=["good", 0], on_false=["bad", 0]),
        "s": save("x", "switched"),
    }

    assert (await client.run(prompt))["status"]["completed"]
    prompt["x"]["inputs"]["switch"] = False
    assert not (await client.run(prompt))["status"]["completed"]
