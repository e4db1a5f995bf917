"""Calling one node: lists, hidden inputs, and the two ways of returning."""

from typing import Any

import pytest

from comfy_images.engine.execution.cache import NodeResult
from comfy_images.engine.execution.call import (
    Answer,
    Arguments,
    HiddenValues,
    InnerLink,
    call_node,
    gather,
    inputs_wanted,
    merged,
)
from comfy_images.engine.host import ExecutionHost
from comfy_images.engine.node_type import NodeType
from comfy_images.engine.subgraph import ExecutionBlocker


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


class _Quiet:
    """A host that is not told anything; `patience` calls are let run."""

    def __init__(self, patience: int = 99) -> None:
        self._patience = patience

    def progress(self, value: int, total: int, preview: Any = None) -> None: ...

    def progress_text(self, text: str, node_id: str | None = None) -> None: ...

    def subgraph_prefix(self) -> str:
        return ""

    def check_interrupt(self) -> None:
        self._patience -= 1
        if self._patience < 0:
            raise InterruptedError


async def _called(
    node_type: NodeType, arguments: Arguments, host: ExecutionHost | None = None
) -> tuple[Answer, list[ExecutionBlocker]]:
    """What the node answered, and which blockers it met."""
    blockers: list[ExecutionBlocker] = []
    quiet = host or _Quiet()
    returned = await call_node(node_type, arguments, lambda _: quiet, blockers.append)
    return merged(node_type, returned), blockers


async def test_a_node_runs_once_per_element_and_short_lists_repeat_their_last() -> None:
    answer, _ = await _called(_PAIR, {"word": ["a", "b"], "count": [1, 2, 3]})

    assert answer == Answer([["a", "bb", "bbb"], [1, 1, 2, 2, 3, 3]], {"text": ["a", "b", "b"]})


async def test_a_node_that_takes_lists_runs_once() -> None:
    answer, _ = await _called(_WHOLE, {"word": ["a"], "count": [1, 2], "own": ["7"]})

    assert answer == Answer([[["a", "7"]], [[1, 2]]], None)


async def test_an_interruption_comes_before_each_element() -> None:
    arguments: Arguments = {"word": ["a", "b", "c"], "count": [1]}

    with pytest.raises(InterruptedError):
        await _called(_PAIR, arguments, _Quiet(patience=2))
    assert (await _called(_PAIR, arguments, _Quiet(patience=3)))[0].ui


async def test_a_blocked_element_blocks_its_outputs_and_no_others() -> None:
    blocker = ExecutionBlocker("no")

    answer, met = await _called(_PAIR, {"word": ["a", blocker, "c"], "count": [1]})

    silent = ExecutionBlocker(None)
    assert answer == Answer([["a", silent, "c"], [1, 1, silent, 1, 1]], {"text": ["a", "c"]})
    assert met == [blocker]


async def test_a_list_that_is_taken_as_a_whole_is_blocked_by_one_element() -> None:
    blocker = ExecutionBlocker("no")

    answer, met = await _called(_WHOLE, {"word": ["a", blocker], "count": [1], "own": ["7"]})

    assert answer.slots == [[ExecutionBlocker(None)], [ExecutionBlocker(None)]]
    assert met == [blocker]


def test_a_subgraphs_links_wait_and_then_stand_for_all_that_the_inner_node_returned() -> None:
    inner: dict[str, Any] = {"x": {"class_type": "Pair", "inputs": {}}}
    answer = merged(_PAIR, [{"result": (["x", 0], [7]), "expand": inner}])

    assert answer == Answer([[InnerLink("x", 0)], [7]], None, inner)
    assert answer.inner_links() == ["x"]
    assert answer.resolved(lambda _: NodeResult([["a", "b"]], None)).slots == [["a", "b"], [7]]


class _Choosy(_Pair):
    def check_lazy_status(self, word: str, count: int | None, **_hidden: Any) -> list[str]:
        return [] if word == "none" or count is not None else ["count", "word", "nonsense"]


def test_a_node_may_ask_for_the_lazy_inputs_that_are_missing_and_for_no_others() -> None:
    choosy = NodeType("Choosy", _Choosy, "Choosy", "tests")

    assert inputs_wanted(choosy, {"word": ["a"]}, ["count"]) == {"count"}
    assert inputs_wanted(choosy, {"word": ["none"]}, ["count"]) == frozenset()
    assert inputs_wanted(choosy, {"word": ["a"], "count": [1]}, []) == frozenset()
    assert inputs_wanted(_PAIR, {"word": ["a"]}, ["count"]) == frozenset()


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
