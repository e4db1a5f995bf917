"""Calling one node: lists, hidden inputs, and the two ways of returning."""

from typing import Any

import pytest

from comfy_images.engine.execution.cache import NodeResult
from comfy_images.engine.execution.call import HiddenValues, call_node, gather
from comfy_images.engine.node_type import NodeType


class _Pair:
    RETURN_TYPES = ("STRING", "INT")
    OUTPUT_IS_LIST = (False, True)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {
            "required": {"word": ("STRING",)},
            "optional": {"count": ("INT",)},
            "hidden": {"own": "UNIQUE_ID", "prompt": "PROMPT", "info": "EXTRA_PNGINFO"},
        }

    def run(self, word: str, count: int, **hidden: Any) -> Any:
        del hidden
        return {"ui": {"text": [word]}, "result": (word * count, [count, count])}


class _Whole(_Pair):
    """Takes its lists as they are."""

    INPUT_IS_LIST = True
    OUTPUT_IS_LIST = None

    def run(self, word: Any, count: Any, **hidden: Any) -> Any:
        return (word + hidden["own"], count)


_PAIR = NodeType("Pair", _Pair, "Pair", "tests")
_WHOLE = NodeType("Whole", _Whole, "Whole", "tests")


def _never() -> None:
    """No interruption."""


def test_a_node_runs_once_per_element_and_short_lists_repeat_their_last() -> None:
    result = call_node(_PAIR, {"word": ["a", "b"], "count": [1, 2, 3]}, _never)

    assert result == NodeResult([["a", "bb", "bbb"], [1, 1, 2, 2, 3, 3]], {"text": ["a", "b", "b"]})


def test_a_node_that_takes_lists_runs_once() -> None:
    result = call_node(_WHOLE, {"word": ["a"], "count": [1, 2], "own": ["7"]}, _never)

    assert result == NodeResult([[["a", "7"]], [[1, 2]]], None)


def test_an_interruption_comes_before_each_element() -> None:
    calls: list[int] = []

    def stop_at_second() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        call_node(_PAIR, {"word": ["a", "b", "c"], "count": [1]}, stop_at_second)
    assert len(calls) == 2


def test_arguments_are_declared_inputs_links_and_hidden_values() -> None:
    node = {"inputs": {"word": ["up", 1], "unknown": 5, "count": 3}}
    upstream = NodeResult([["no"], ["x", "y"]], None)
    hidden = HiddenValues(prompt={"up": {}}, extra_pnginfo=None, node_id="7")

    arguments = gather(node, _PAIR, lambda _: upstream, hidden)

    assert arguments == {
        "word": ["x", "y"],
        "count": [3],
        "own": ["7"],
        "prompt": [{"up": {}}],
        "info": [None],
    }
