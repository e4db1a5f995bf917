"""Programs that run a workflow hold its texts as values, whatever stands in them."""

import ast
import json
import shlex
from typing import Any

import pytest

from app.workflows.bindings.models import Bindings
from app.workflows.registry.code import code_samples, example_inputs
from app.workflows.registry.names import Reference, Selector

TARGET = {"node_id": "1", "input": "x"}
HOSTILE = [
    'it\'s "quoted" `ticked` $(touch x) \\ \n ${x}',
    "'; rm -rf /; echo '",
    "</script>\u2028\u2029",
    "\U0001f600 ü \ud7ff",
    "{}{{}}%s",
]


def bindings_with(default: Any, **more: Any) -> Bindings:
    given = {"name": "prompt", "type": "text", "targets": [TARGET], "default": default, **more}
    return Bindings.model_validate({"inputs": [given]})


@pytest.mark.parametrize("text", HOSTILE)
def test_a_default_is_a_value_in_every_language(text: str) -> None:
    sources = {each["label"]: each["source"] for each in code_samples("a@1", bindings_with(text))}
    words = shlex.split(sources["curl"].replace("\\\n", " "))
    assert json.loads(words[words.index("-d") + 1])["inputs"] == {"prompt": text}
    for label in ("httpx", "comfy-sdk"):
        constants = [
            node.value
            for node in ast.walk(ast.parse(sources[label]))
            if isinstance(node, ast.Constant)
        ]
        assert text in constants
    assert json.dumps(text) in sources["fetch"]


def test_values_stand_for_what_has_no_default() -> None:
    inputs = [
        {"name": "photo", "type": "file", "file_kind": "image", "required": True},
        {"name": "size", "type": "integer", "minimum": 64},
        {"name": "kind", "type": "choice", "choices": ["a", "b"]},
        {"name": "seed", "type": "seed"},
        {"name": "hidden", "type": "text", "group": "advanced"},
    ]
    bindings = Bindings.model_validate(
        {"inputs": [{**each, "targets": [TARGET]} for each in inputs]}
    )
    assert example_inputs(bindings) == {
        "photo": "photo.png",
        "size": 64,
        "kind": "a",
        "seed": "random",
    }


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ("poster", "poster", Selector(alias="latest")),
        ("poster@3", "poster", Selector(number=3)),
        ("a_b-c@prod-1", "a_b-c", Selector(alias="prod-1")),
        ("0", "0", Selector(alias="latest")),
    ],
)
def test_a_reference_is_a_name_and_a_version(text: str, name: str, version: Selector) -> None:
    assert Reference.parse(text) == Reference(name, version)


@pytest.mark.parametrize(
    "text", ["", "@", "a@", "@1", "a@01", "a@1a", "A", "a@1@2", "a\n", "a@1\n"]
)
def test_what_is_no_reference_is_none(text: str) -> None:
    assert Reference.parse(text) is None
