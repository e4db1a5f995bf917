"""Nodes of ComfyDeploy and comfy-pack go, and what they said stays."""

import copy
from random import Random
from typing import Any

import pytest

from app.workflows.bindings.annotations import unwrap_annotations
from app.workflows.bindings.bind import bind
from app.workflows.bindings.models import InputBinding
from app.workflows.graph import NodeErrors
from app.workflows.validate import validate
from tests.app.workflows.bindings.graphs import (
    CAPTURED,
    COMFY_PACK,
    COMFYDEPLOY,
    OBJECT_INFO,
    Graph,
)

SAVE: Graph = {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "a"}}


def declared(graph: Graph) -> dict[str, InputBinding]:
    return {one.name: one for one in unwrap_annotations(graph, OBJECT_INFO).bindings.inputs}


def deploy(kind: str, **inputs: Any) -> Graph:
    return {"class_type": f"ComfyUIDeployExternal{kind}", "inputs": {"input_id": "it", **inputs}}


@pytest.mark.parametrize("graph", [COMFYDEPLOY, COMFY_PACK], ids=["comfydeploy", "comfy_pack"])
def test_what_is_left_runs_without_a_special_node(graph: Graph) -> None:
    unwrapped = unwrap_annotations(graph, OBJECT_INFO)
    assert {node["class_type"] for node in unwrapped.graph.values()} <= OBJECT_INFO.keys()
    errors = NodeErrors()
    validate(unwrapped.graph, OBJECT_INFO, errors)
    assert not errors


@pytest.mark.parametrize("graph", [COMFYDEPLOY, COMFY_PACK], ids=["comfydeploy", "comfy_pack"])
def test_the_graph_that_was_given_stays(graph: Graph) -> None:
    before = copy.deepcopy(graph)
    unwrap_annotations(graph, OBJECT_INFO)
    assert graph == before


def test_a_graph_without_annotations_is_the_same_object() -> None:
    graph = CAPTURED["1-photo-edit"]
    assert unwrap_annotations(graph, OBJECT_INFO).graph is graph


def test_label_help_and_range_are_the_annotations() -> None:
    strength = declared(COMFYDEPLOY)["lora_strength"]
    assert strength.label == "Strength of the style"
    assert (strength.minimum, strength.maximum, strength.default) == (0.0, 1.5, 0.8)
    assert declared(COMFYDEPLOY)["prompt"].help == "What to paint."


def test_an_integer_that_feeds_a_seed_is_a_seed() -> None:
    assert declared(COMFY_PACK)["seed"].type == "seed"


def test_a_seed_of_minus_one_is_drawn_when_none_is_given() -> None:
    unwrapped = unwrap_annotations(COMFYDEPLOY, OBJECT_INFO)
    bound = bind(unwrapped.graph, unwrapped.bindings, {}, random=Random(1))  # noqa: S311
    seed = bound.drawn["seed"]
    assert 1 <= seed <= 4294967295
    assert bound.graph["8"]["inputs"]["seed"] == seed
    assert bind(unwrapped.graph, unwrapped.bindings, {"seed": 7}).drawn == {}


def test_a_seed_in_its_range_is_fixed() -> None:
    graph = copy.deepcopy(COMFYDEPLOY)
    graph["26"]["inputs"]["default_value"] = 5
    seed = declared(graph)["seed"]
    assert (seed.default, seed.random_when_omitted) == (5, False)


def test_a_picture_becomes_a_loader_with_the_default_of_the_one_it_was_linked_to() -> None:
    unwrapped = unwrap_annotations(COMFYDEPLOY, OBJECT_INFO)
    assert unwrapped.graph["24"]["class_type"] == "LoadImage"
    assert unwrapped.graph["24"]["inputs"] == {"image": "example.png"}
    assert "5" not in unwrapped.graph, "nothing else used it"


def test_a_default_that_something_else_uses_stays() -> None:
    graph = copy.deepcopy(COMFYDEPLOY)
    graph["13"] = {"class_type": "PreviewImage", "inputs": {"images": ["5", 0]}}
    assert "5" in unwrap_annotations(graph, OBJECT_INFO).graph


def test_a_picture_without_a_file_must_be_given() -> None:
    graph = {"1": deploy("Image", default_value_url="https://example.com/a.png"), "2": SAVE}
    it = declared(graph)["it"]
    assert (it.type, it.file_kind, it.default, it.required) == ("file", "image", None, True)


def test_transparency_stays_in_the_picture() -> None:
    unwrapped = unwrap_annotations({"1": deploy("ImageAlpha"), "2": SAVE}, OBJECT_INFO)
    assert unwrapped.graph["1"]["class_type"] == "JoinImageWithAlpha"
    assert unwrapped.graph["1.file"]["class_type"] == "LoadImage"
    assert unwrapped.bindings.inputs[0].targets[0].node_id == "1.file"


def test_a_video_gives_frames_and_sound() -> None:
    graph = {
        "1": deploy("Video", force_rate=0, default_video="clip.mp4"),
        "2": SAVE,
        "3": {"class_type": "SaveAudio", "inputs": {"audio": ["1", 2], "filename_prefix": "a"}},
    }
    unwrapped = unwrap_annotations(graph, OBJECT_INFO)
    assert unwrapped.graph["3"]["inputs"]["audio"] == ["1", 1]
    assert unwrapped.graph["1.file"]["inputs"] == {"file": "clip.mp4"}
    assert unwrapped.bindings.inputs[0].file_kind == "video"


def test_a_video_that_is_trimmed_on_loading_is_left_and_so_reported_as_missing() -> None:
    graph = {"1": deploy("Video", skip_first_frames=8), "2": SAVE}
    unwrapped = unwrap_annotations(graph, OBJECT_INFO)
    assert unwrapped.graph is graph
    errors = NodeErrors()
    validate(unwrapped.graph, OBJECT_INFO, errors)
    assert [p["reason"] for p in errors["1"]] == ["missing_node"]


def test_one_id_on_two_nodes_is_one_input() -> None:
    graph = {
        "1": deploy("Text", default_value="a"),
        "2": deploy("Text", default_value="a"),
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["2", 0]}},
    }
    assert [(t.node_id, t.input) for t in declared(graph)["it"].targets] == [
        ("3", "source"),
        ("4", "source"),
    ]


def test_a_default_that_another_node_makes_is_used_where_nothing_is_given() -> None:
    graph = {
        "1": deploy("Text", default_value=["5", 0]),
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
        "5": {"class_type": "StringConcatenate", "inputs": {"string_a": "a", "string_b": "b"}},
    }
    unwrapped = unwrap_annotations(graph, OBJECT_INFO)
    assert not unwrapped.bindings.inputs[0].required
    omitted = bind(unwrapped.graph, unwrapped.bindings, {}).graph
    assert omitted["3"]["inputs"]["source"] == ["5", 0]
    given = bind(unwrapped.graph, unwrapped.bindings, {"it": "c"}).graph
    assert given["3"]["inputs"]["source"] == "c"


def test_annotations_that_feed_annotations_end() -> None:
    graph = {
        "1": deploy("Text", default_value=["2", 0]),
        "2": {**deploy("Text", default_value=["1", 0])},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    }
    unwrapped = unwrap_annotations(graph, OBJECT_INFO)
    assert set(unwrapped.graph) == {"3"}


def test_a_default_of_a_default_is_its_value() -> None:
    graph = {
        "1": deploy("Text", default_value=["2", 0]),
        "2": {**deploy("Text", default_value="deep"), "_meta": {"title": "x"}},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}},
    }
    assert declared(graph)["it"].default == "deep"


def test_an_enum_lists_its_options() -> None:
    assert declared(COMFYDEPLOY)["sampler"].choices == ("euler", "dpmpp_2m")
    lines = {"1": deploy("Enum", options="a\nb", default_value="c")}
    lines["3"] = {"class_type": "PreviewAny", "inputs": {"source": ["1", 0]}}
    assert declared(lines)["it"].choices == ("c", "a", "b")


def test_any_takes_the_type_of_what_it_feeds() -> None:
    assert declared(COMFYDEPLOY)["denoise"].type == "number"
    cfg = declared(COMFY_PACK)["cfg"]
    assert (cfg.type, cfg.minimum, cfg.maximum) == ("number", 1, 20)


def test_a_limit_that_is_none_is_none() -> None:
    height = declared(COMFY_PACK)["height"]
    assert (height.minimum, height.maximum) == (16, 16384), "of the latent that it feeds"


def test_a_title_that_is_no_identifier_gives_way_to_the_field() -> None:
    assert {"height", "source"} <= declared(COMFY_PACK).keys()


def test_outputs_keep_their_names() -> None:
    assert [o.name for o in unwrap_annotations(COMFYDEPLOY).bindings.outputs] == ["portrait"]
    graph = copy.deepcopy(COMFY_PACK)
    graph["8"]["_meta"]["title"] = "Poster"
    unwrapped = unwrap_annotations(graph, OBJECT_INFO)
    assert [o.name for o in unwrapped.bindings.outputs] == ["poster"]
    assert unwrapped.graph["8"]["class_type"] == "SaveImage"


def test_a_field_without_a_name_is_no_target() -> None:
    graph = {
        "1": deploy("Text", default_value="a"),
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["1", 0], "": ["1", 0]}},
    }
    assert [t.input for t in declared(graph)["it"].targets] == ["source"]
