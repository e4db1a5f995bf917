"""Names are such as a caller would write, and each is given once."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.workflows.bindings.models import MAX_NAME_LENGTH
from app.workflows.bindings.names import Names, label_of, own_title, snake


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Start Frame", "start_frame"),
        ("inputImage", "input_image"),
        ("Enable LoRA?", "enable_lora"),
        ("ComfyUI_WanMove", "comfyui_wan_move"),
        ("4 steps", "n_4_steps"),
        ("Über uns", "uber_uns"),
        ("提示词", ""),
        ("___", ""),
    ],
)
def test_a_text_becomes_a_name(text: str, name: str) -> None:
    assert snake(text) == name


def test_a_name_that_is_taken_is_numbered() -> None:
    names = Names()
    assert [names.take("image") for _ in range(3)] == ["image", "image_2", "image_3"]
    assert names.take("image_2") == "image_2_2"
    assert names.take("提示词", "prompt") == "prompt"


@given(texts=st.lists(st.text(max_size=90), max_size=20))
def test_names_are_valid_and_unique(texts: list[str]) -> None:
    names = Names()
    made = [names.take(text, "input") for text in texts]
    assert len(set(made)) == len(made)
    for name in made:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert len(name) <= MAX_NAME_LENGTH


def test_a_title_that_every_node_of_the_class_has_is_none() -> None:
    node_class = {"display_name": "Load Image"}
    assert (
        own_title({"class_type": "LoadImage", "_meta": {"title": "Load Image"}}, node_class) == ""
    )
    assert own_title({"class_type": "LoadImage", "_meta": {"title": "LoadImage"}}, None) == ""
    assert own_title({"class_type": "LoadImage", "_meta": {"title": "Face"}}, node_class) == "Face"
    assert own_title({"class_type": "LoadImage", "_meta": {"title": "x" * 200}}, node_class) == ""
    assert own_title({"class_type": "LoadImage", "_meta": "?"}, node_class) == ""


def test_what_stands_beside_the_name_of_the_class_is_the_title() -> None:
    node = {"class_type": "CLIPTextEncode", "_meta": {"title": "CLIP Text Encode (Background)"}}
    known = {"display_name": "CLIP Text Encode (Prompt)"}
    assert own_title(node, known) == "Background"
    node["_meta"] = {"title": "CLIP Text Encode (Prompt)"}
    assert own_title(node, known) == ""
    assert own_title({**node, "_meta": {"title": "Face (left)"}}, known) == "Face (left)"


def test_a_label_spells_what_has_a_spelling() -> None:
    assert label_of("lora_strength") == "LoRA strength"
    assert label_of("cfg_2") == "CFG 2"
