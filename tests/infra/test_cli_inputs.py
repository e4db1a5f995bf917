"""`-i NODE.INPUT=VALUE`, against a graph as ComfyUI exports it."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.cli.run.inputs import Assignment, Graph, InputError, apply, load_graph

HANDLE = {"__type": "core/ASSET", "info": {"id": "a1"}}


def graph() -> Graph:
    return {
        "3": {
            "class_type": "KSampler",
            "inputs": {"seed": 1, "cfg": 7.5, "tiled": False, "model": ["4", 0]},
        },
        "6": {
            "class_type": "CLIPTextEncode",
            "inputs": {"text": "a dog", "clip": ["4", 1]},
            "_meta": {"title": "Positive v1.5"},
        },
        "7": {
            "class_type": "CLIPTextEncode",
            "inputs": {"text": "", "clip": ["4", 1]},
            "_meta": {"title": "Negative"},
        },
    }


def no_upload(path: Path) -> dict[str, Any]:
    raise AssertionError(f"{path} was uploaded")


def applied(*assignments: str) -> Graph:
    made = graph()
    apply(made, assignments, no_upload)
    return made


@pytest.mark.parametrize(
    ("assignment", "node", "name", "value"),
    [
        ("3.seed=42", "3", "seed", 42),
        ("KSampler.cfg=8", "3", "cfg", 8),
        ("3.cfg=1e-3", "3", "cfg", 0.001),
        ("3.tiled=true", "3", "tiled", True),
        ("6.text=a cat", "6", "text", "a cat"),
        ("6.text=12", "6", "text", "12"),
        ("6.text=a=b", "6", "text", "a=b"),
        ("6.text=", "6", "text", ""),
        ("6.text=@@home", "6", "text", "@home"),
        ("Negative.text=blurry", "7", "text", "blurry"),
        ("Positive v1.5.text=sharp", "6", "text", "sharp"),
        ("3.seed:=null", "3", "seed", None),
        ("3.model:=7", "3", "model", 7),
        ("3.new.one:=[1, 2]", "3", "new.one", [1, 2]),
    ],
)
def test_a_value_takes_the_type_of_what_stands_there(
    assignment: str, node: str, name: str, value: object
) -> None:
    inputs = applied(assignment)[node]["inputs"]

    assert (inputs[name], type(inputs[name])) == (value, type(value))


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("nonsense", "is not NODE.INPUT=VALUE"),
        ("seed=1", "is not NODE.INPUT=VALUE"),
        ("3.seed=abc", "neither a number"),
        ("3.seed=true", "is not a number"),
        ("3.seed=NaN", "neither a number"),
        ("3.tiled=1", "is not a yes or no"),
        ("3.sede=1", "it has: seed, cfg, tiled, model"),
        ("9.seed=1", "no node is called '9'; there are: 3 (KSampler), 6 (Positive v1.5)"),
        ("CLIPTextEncode.text=x", "several nodes; say which: 6, 7"),
        ("3.model=sdxl", "output of another node"),
        ("6.text=@missing.png", "there is no file 'missing.png'"),
        ("3.seed:=oops", "nor other JSON"),
    ],
)
def test_what_cannot_be_applied_is_said_with_what_could(assignment: str, says: str) -> None:
    with pytest.raises(InputError) as refused:
        applied(assignment)

    assert says in str(refused.value)


def test_a_file_is_uploaded_and_its_handle_put_in(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"png")
    uploaded: list[Path] = []

    def upload(path: Path) -> dict[str, Any]:
        uploaded.append(path)
        return HANDLE

    made = graph()
    apply(made, [f"6.text=@{photo}"], upload)

    assert (made["6"]["inputs"]["text"], uploaded) == (HANDLE, [photo])


def test_the_first_equals_sign_splits() -> None:
    assert Assignment.parse("6.text=a:=b") == Assignment("6.text", "a:=b", is_json=False)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is not JSON"),
        ("[]", "holds no workflow"),
        ("{}", "holds no workflow"),
        ('{"nodes": [], "links": []}', "Export (API)"),
        ('{"1": {"inputs": {}}}', "node '1' has no class_type"),
    ],
)
def test_a_file_that_is_no_workflow_is_refused(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "flow.json"
    path.write_text(content)

    with pytest.raises(InputError, match=says.replace("(", r"\(").replace(")", r"\)")):
        load_graph(path)


def test_a_node_without_inputs_has_none(tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    path.write_text(json.dumps({"1": {"class_type": "Empty"}}))

    assert load_graph(path)["1"]["inputs"] == {}
