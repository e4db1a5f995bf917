"""What is proposed of whole workflows, and what holds of every proposal."""

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import AppError
from app.workflows.bindings.bind import InvalidInputsError, bind
from app.workflows.bindings.check import check
from app.workflows.bindings.models import Bindings, InputBinding
from app.workflows.bindings.propose import MAX_PROPOSED, propose, propose_workflow
from app.workflows.graph import check_structure
from tests.app.workflows.bindings.graphs import (
    ALL,
    APP_MODE,
    CAPTURED,
    DATA,
    OBJECT_INFO,
    PLAIN,
    TEMPLATES,
    Graph,
    written,
)

CATALOG = Path(__file__).resolve().parents[4] / "comfy_images" / "catalog"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
NODE_IDS = st.sampled_from(["1", "2", "3", "4", "5:6"])
CLASSES = st.sampled_from(
    [
        *sorted(OBJECT_INFO),
        "Unknown",
        "UnknownSampler",
        "ComfyUIDeployExternalText",
        "ComfyUIDeployExternalImage",
        "ComfyUIDeployExternalVideo",
        "ComfyUIDeployExternalSeed",
        "ComfyUIDeployExternalEnum",
        "ComfyDeployOutputImage",
        "CPackInputInt",
        "CPackInputAny",
        "CPackInputImage",
        "CPackInputFile",
        "CPackOutputImage",
    ]
)
FIELDS = st.sampled_from(
    [
        *sorted(
            {name for graph in ALL.values() for node in graph.values() for name in node["inputs"]}
        ),
        "x" * 300,
        "",
    ]
)
LINKS = st.tuples(NODE_IDS, st.integers(-1, 4)).map(list)
NODES = st.fixed_dictionaries(
    {
        "class_type": CLASSES,
        "inputs": st.dictionaries(FIELDS, LINKS | JSON, max_size=8),
        "_meta": st.fixed_dictionaries({"title": st.text(max_size=12) | st.just("$a.text")}) | JSON,
    }
)
GRAPHS = st.dictionaries(NODE_IDS, NODES, min_size=1, max_size=5)


POSTER_GRAPH: Graph = json.loads((CATALOG / "poster.json").read_text())


def proposed(name: str) -> dict[str, InputBinding]:
    return {one.name: one for one in propose(ALL[name], OBJECT_INFO).inputs}


def expected() -> dict[str, str]:
    blocks = (DATA / "proposed.txt").read_text(encoding="utf-8").strip().split("\n\n")
    return {name: rows for name, _, rows in (block.partition("\n") for block in blocks)}


@pytest.mark.parametrize("name", ALL)
def test_names_and_types_are_those_a_reader_judged(name: str) -> None:
    ui = APP_MODE["ui"] if name == "app_mode" else None
    assert written(propose(ALL[name], OBJECT_INFO, ui)) == expected()[name]


def test_the_table_has_no_row_too_many() -> None:
    assert expected().keys() == ALL.keys()


@pytest.mark.parametrize("knows", [OBJECT_INFO, {}, None], ids=["known", "nothing", "none"])
@pytest.mark.parametrize("name", PLAIN)
def test_the_defaults_are_the_graph(name: str, knows: Graph | None) -> None:
    graph = PLAIN[name]
    before = copy.deepcopy(graph)
    proposal = propose_workflow(graph, knows)
    assert proposal.graph == graph
    bound = bind(proposal.graph, proposal.bindings, {})
    assert bound.graph == graph == before
    assert not bound.drawn
    assert bind(graph, proposal.bindings, bound.values).graph == graph


@pytest.mark.parametrize("name", ALL)
def test_a_proposal_has_no_fault_and_survives_storage(name: str) -> None:
    proposal = propose_workflow(ALL[name], OBJECT_INFO)
    assert check(proposal.bindings, proposal.graph, OBJECT_INFO) == []
    stored = proposal.bindings.model_dump_json()
    assert Bindings.model_validate_json(stored) == proposal.bindings


@pytest.mark.parametrize("name", TEMPLATES)
def test_without_object_info_the_main_things_are_found(name: str) -> None:
    known = {n for n, one in proposed(name).items() if one.group == "main"}
    blind = {one.name for one in propose(TEMPLATES[name], None).inputs}
    if "seed" in known:
        assert "seed" in blind
    if "prompt" in known:
        assert "prompt" in blind


def test_a_prompt_is_found_behind_a_switch_and_a_join() -> None:
    relight = proposed("image_qwen_image_edit_2509_relight")
    assert relight["prompt"].targets[0].node_id == "15"
    assert relight["prompt"].multiline
    switched = proposed("basic_switch_node")
    assert switched["prompt_no_lora"].label == "Prompt - No LoRA"


def test_a_negative_prompt_that_is_zeroed_out_is_none() -> None:
    assert "negative_prompt" not in proposed("flux1_krea_dev")
    graph = copy.deepcopy(TEMPLATES["flux1_krea_dev"])
    [zero] = [node for node in graph.values() if node["class_type"] == "ConditioningZeroOut"]
    graph["text"] = {
        "class_type": "CLIPTextEncode",
        "inputs": {"text": "blurry", "clip": ["200:63", 0]},
    }
    zero["inputs"]["conditioning"] = ["text", 0]
    texts = [one.name for one in propose(graph, OBJECT_INFO).inputs if one.type == "text"]
    assert texts == ["prompt"]


def test_a_negative_prompt_without_effect_is_folded_away() -> None:
    assert proposed("image_qwen_image_edit_2509_relight")["negative_prompt"].group == "advanced"
    assert proposed("image_anima_preview")["negative_prompt"].group == "main"


def test_what_a_dual_guider_takes_beside_the_prompt_may_be_the_negative_one() -> None:
    omnigen = proposed("image_omnigen2_image_edit")
    assert str(omnigen["negative_prompt"].default).startswith("deformed")
    assert "prompt_2" not in omnigen


def test_a_title_says_which_side_a_text_is_on() -> None:
    graph = copy.deepcopy(TEMPLATES["image_omnigen2_image_edit"])
    graph["6"]["_meta"]["title"] = "Negative"
    names = {one.name for one in propose(graph, OBJECT_INFO).inputs}
    assert "prompt" not in names
    assert {"negative_prompt", "negative_prompt_2"} <= names


def test_several_prompts_are_called_by_their_titles() -> None:
    graph = copy.deepcopy(TEMPLATES["templates-6-key-frames"])
    graph["228:225"]["_meta"]["title"] = "CLIP Text Encode (Second shot)"
    names = [one.name for one in propose(graph, OBJECT_INFO).inputs]
    assert names[:2] == ["prompt", "prompt_2"]
    assert "second_shot" in names


def test_the_poster_of_the_catalog_is_described_by_itself() -> None:
    bindings = propose(POSTER_GRAPH, None)
    assert [(one.name, one.type, one.label) for one in bindings.inputs] == [
        ("prompt", "text", "Prompt"),
        ("width", "integer", "Width"),
        ("height", "integer", "Height"),
        ("seed", "seed", "Seed"),
    ]
    assert all(one.group == "main" for one in bindings.inputs)
    assert [output.name for output in bindings.outputs] == ["poster"]


def test_a_loader_is_called_by_what_it_loads() -> None:
    graph = copy.deepcopy(CAPTURED["1-photo-edit"])
    graph["1"]["_meta"] = {"title": "Load Subject Image"}
    image = propose(graph, OBJECT_INFO).inputs[0]
    assert (image.name, image.label) == ("subject_image", "Load Subject Image")


def test_texts_through_a_controlnet_keep_their_sides() -> None:
    controlnet = proposed("image_qwen_Image_2512_controlnet")
    assert str(controlnet["prompt"].default).startswith("A woman with curly hair")
    assert str(controlnet["negative_prompt"].default).startswith("低分辨率")


def test_one_text_for_two_encoders_is_one_prompt() -> None:
    graph = copy.deepcopy(TEMPLATES["flux_schnell_full_text_to_image"])
    graph["41"]["inputs"]["t5xxl"] = graph["41"]["inputs"]["clip_l"]
    prompts = [one for one in propose(graph, OBJECT_INFO).inputs if "prompt" in one.name]
    assert [len(one.targets) for one in prompts] == [2]


def test_a_value_that_stands_in_a_primitive_is_set_there() -> None:
    width = proposed("image_flux2_text_to_image_9b")["width"]
    assert [(t.node_id, t.input) for t in width.targets] == [("75:68", "value")]
    assert (width.minimum, width.maximum, width.unit) == (16, 16384, "px")


def test_equal_settings_of_stages_are_one_input() -> None:
    frames = proposed("templates-6-key-frames")
    assert len(frames["steps"].targets) == 10
    assert len(frames["seed"].targets) == 5, "the second stages add no noise"
    assert len(frames["lora_strength"].targets) == 5


def test_pictures_are_called_what_they_are_used_as() -> None:
    assert {"start_image", "end_image"} <= proposed("video_wan2_2_14B_flf2v").keys()


def test_a_description_comes_from_object_info() -> None:
    krea = proposed("flux1_krea_dev")
    assert krea["steps"].help.startswith("The number of steps")
    assert krea["sampler"].choices
    assert "euler" in krea["sampler"].choices


def test_a_model_that_this_environment_lacks_is_a_choice_all_the_same() -> None:
    model = proposed("flux1_krea_dev")["model"]
    assert model.choices == ("flux1-krea-dev_fp8_scaled.safetensors",)
    assert model.group == "advanced"


def test_a_dollar_title_names_an_input_and_folds_the_rest_away() -> None:
    graph = copy.deepcopy(CAPTURED["1-photo-edit"])
    graph["3"]["_meta"] = {"title": "$sharpness.sigma"}
    graph["1"]["_meta"] = {"title": "$photo"}
    graph["7"]["_meta"] = {"title": "$result"}
    bindings = propose(graph, OBJECT_INFO)
    main = [(one.name, one.type) for one in bindings.inputs if one.group == "main"]
    assert main == [("photo", "file"), ("sharpness", "number")]
    assert bindings.outputs[0].name == "result"


def test_a_file_of_another_folder_must_be_given_anew() -> None:
    graph = copy.deepcopy(CAPTURED["1-photo-edit"])
    graph["1"]["inputs"]["image"] = "old.png [output]"
    image = propose(graph, OBJECT_INFO).inputs[0]
    assert (image.name, image.default, image.required) == ("image", None, True)


def test_an_asset_handle_is_a_default() -> None:
    handle = {"__type": "core/ASSET", "info": {"id": "01a20ed5-0261-7350-a2b2-c7082f2b0b87"}}
    graph = copy.deepcopy(CAPTURED["1-photo-edit"])
    graph["1"]["inputs"]["image"] = handle
    bindings = propose(graph, OBJECT_INFO)
    assert bindings.inputs[0].default == handle
    assert bind(graph, bindings, {}).graph == graph


def test_what_no_output_is_made_of_is_not_asked_for() -> None:
    graph = {
        **CAPTURED["8-noise-seeded"],
        "99": {"class_type": "LoadImage", "inputs": {"image": "a.png"}},
    }
    assert "image" not in {one.name for one in propose(graph, OBJECT_INFO).inputs}


def test_a_large_workflow_is_not_a_large_form() -> None:
    loaders: Graph = {
        f"l{i}": {"class_type": "LoadImage", "inputs": {"image": f"{i}.png"}} for i in range(300)
    }
    saves: Graph = {
        f"s{i}": {"class_type": "SaveImage", "inputs": {"images": [f"l{i}", 0]}} for i in range(300)
    }
    bindings = propose({**loaders, **saves}, OBJECT_INFO)
    assert len(bindings.inputs) == MAX_PROPOSED
    assert len(bindings.outputs) == 200


@settings(max_examples=150, deadline=None)
@given(graph=GRAPHS, ui=st.dictionaries(st.text(max_size=6), JSON), is_known=st.booleans())
def test_any_graph_is_proposed_or_refused(graph: Graph, ui: Graph, *, is_known: bool) -> None:
    knows = OBJECT_INFO if is_known else None
    try:
        check_structure(graph, 100)
    except AppError:
        return
    before = copy.deepcopy(graph)
    proposal = propose_workflow(graph, knows, ui)
    assert graph == before
    assert check(proposal.bindings, proposal.graph, knows) == []
    stored = proposal.bindings.model_dump_json()
    assert Bindings.model_validate_json(stored) == proposal.bindings
    if any(one.required for one in proposal.bindings.inputs):
        with pytest.raises(InvalidInputsError) as caught:
            bind(proposal.graph, proposal.bindings, {})
        assert {fault.code for fault in caught.value.faults} == {"missing_input"}
    else:
        bind(proposal.graph, proposal.bindings, {})
