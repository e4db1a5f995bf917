import base64
import json
import sys
from pathlib import Path

import pytest

from gpu_functions.comfyui.frames import (
    Alive,
    Cached,
    Ended,
    Frame,
    NodeOutput,
    NodeStarted,
    NodeStepped,
    PreviewFrame,
    read_frame,
)
from gpu_functions.comfyui.graph import own_outputs
from gpu_functions.comfyui.progress import ProgressTracker
from gpu_functions.contract import Graph

DATA = Path(__file__).with_name("data")


def capture(name: str) -> list[Frame]:
    """What a captured run says about its prompt."""
    raw: list[str | dict[str, str]] = json.loads((DATA / f"frames-{name}.json").read_text())
    frames = [base64.b64decode(item["b64"]) if isinstance(item, dict) else item for item in raw]
    started = next(json.loads(f) for f in frames if isinstance(f, str) and "execution_start" in f)
    prompt_id = started["data"]["prompt_id"]
    return [said for frame in frames if (said := read_frame(frame, prompt_id)) is not None]


def test_a_run_with_previews_is_read_in_order() -> None:
    said = [frame for frame in capture("progress-preview4") if not isinstance(frame, Alive)]
    assert said[0] == Cached([])
    assert said[1:3] == [NodeStarted("1"), NodeStarted("5")]
    steps = [frame for frame in said if isinstance(frame, NodeStepped)]
    assert steps == [NodeStepped("5", step, 3) for step in (1, 2, 3)]
    previews = [frame for frame in said if isinstance(frame, PreviewFrame)]
    assert [(p.node_id, p.image_type) for p in previews] == [("5", "image/jpeg")] * 3
    assert [frame.node_id for frame in said if isinstance(frame, NodeOutput)] == ["2", "3"]


def test_the_error_of_a_blocked_output_is_not_the_end() -> None:
    said = capture("blocker")
    assert isinstance(said[-1], Ended)
    assert sum(isinstance(frame, Ended) for frame in said) == 1


def test_nodes_inside_an_expanded_one_count_as_that_one() -> None:
    said = capture("expand")
    assert {frame.node_id for frame in said if isinstance(frame, NodeStarted)} == {"1", "2"}
    assert [frame.node_id for frame in said if isinstance(frame, NodeOutput)] == ["1", "2"]


def test_frames_about_other_prompts_are_not_ours() -> None:
    other = '{"type": "executing", "data": {"node": "1", "prompt_id": "other"}}'
    state = '{"type": "progress_state", "data": {"prompt_id": "other", "nodes": {}}}'
    reconnected = '{"type": "executing", "data": {"node": "5"}}'
    assert [read_frame(f, "mine") for f in (other, state, reconnected)] == [None, None, None]


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "[1]",
        "not json",
        '{"type": "progress", "data": 5}',
        b"",
        b"\0\0\0\4\xff\xff\xff\xff{}",
        b"\0\0\0\1",
    ],
)
def test_a_frame_of_any_shape_is_survived(frame: str | bytes) -> None:
    assert read_frame(frame, "mine") is None


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1" + "0" * 400, '"1"', "null"])
@pytest.mark.parametrize("key", ["value", "max"])
def test_what_cannot_be_computed_with_is_no_step(key: str, value: str) -> None:
    numbers = {"value": "1", "max": "3"} | {key: value}
    said = ", ".join(f'"{name}": {number}' for name, number in numbers.items())
    frame = f'{{"type": "progress", "data": {{{said}, "node": "5", "prompt_id": "p"}}}}'
    assert read_frame(frame, "p") == Alive()


def test_a_preview_that_is_no_image_is_dropped() -> None:
    assert read_frame(b"\0\0\0\1\0\0\0\1<svg onload=x>", "p") == Alive()


# --- progress -----------------------------------------------------------------------------------

GRAPH: Graph = {
    "1": {"class_type": "EmptyImage", "inputs": {}},
    "5": {"class_type": "Sampler", "inputs": {"steps": 17, "image": ["1", 0]}},
    "2": {"class_type": "SaveImage", "inputs": {"images": ["5", 0], "filename_prefix": "a/b"}},
}


def test_progress_weighs_nodes_by_their_steps() -> None:
    tracker = ProgressTracker.of(GRAPH)
    tracker.started("1")
    tracker.started("5")
    assert tracker.snapshot().value == pytest.approx(1 / 20)
    tracker.stepped("5", 9, 18)
    halfway = tracker.snapshot()
    assert halfway.value == pytest.approx((1 + 9) / 20)
    assert (halfway.current_node, halfway.current_node_class) == ("5", "Sampler")
    assert (halfway.step, halfway.steps) == (9, 18)
    assert (halfway.nodes_done, halfway.nodes_total) == (1, 3)
    tracker.started("2")
    tracker.finished("2")
    assert tracker.snapshot().value == 1.0


def test_progress_never_goes_back() -> None:
    tracker = ProgressTracker.of(GRAPH)
    tracker.stepped("5", 18, 18)
    before = tracker.snapshot().value
    tracker.stepped("5", 1, 18)  # a second bar of the same node
    assert tracker.snapshot().value == before


def test_cached_nodes_are_done_and_unknown_ones_ignored() -> None:
    tracker = ProgressTracker.of(GRAPH)
    tracker.cached(["1", "5", "77"])
    assert tracker.snapshot().nodes_done == 2
    tracker.started("5.0.0.1")
    assert tracker.snapshot().current_node == "5"


# --- the graph as it is sent --------------------------------------------------------------------


def test_files_go_below_our_folder_and_keep_their_name() -> None:
    owned = own_outputs(GRAPH, "job-1", frozenset({"SaveImage", "PreviewImage"}))
    assert owned["2"]["inputs"]["filename_prefix"] == "job-1/b"
    assert GRAPH["2"]["inputs"]["filename_prefix"] == "a/b", "the ticket is left as it was"


@pytest.mark.parametrize("prefix", ["", "..", "a/..", "x\\..", "dir/"])
def test_a_prefix_cannot_leave_our_folder(prefix: str) -> None:
    graph: Graph = {"1": {"class_type": "SaveImage", "inputs": {"filename_prefix": prefix}}}
    assert own_outputs(graph, "job-1", frozenset())["1"]["inputs"]["filename_prefix"] == (
        "job-1/ComfyUI"
    )


def test_output_nodes_without_a_prefix_are_never_answered_from_cache() -> None:
    graph: Graph = {
        "1": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
        "2": {"class_type": "EmptyImage", "inputs": {}},
    }
    owned = own_outputs(graph, "job-1", frozenset({"PreviewImage"}))
    assert owned["1"]["inputs"]["_comfyburst"] == "job-1"
    assert owned["2"] == graph["2"]


def test_the_length_of_the_queue_is_about_no_prompt() -> None:
    status = '{"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 1}}}}'
    assert read_frame(status, "mine") is None


def test_a_snapshot_costs_the_same_for_any_number_of_nodes() -> None:
    def calls(count: int) -> int:
        tracker = ProgressTracker.of(
            {str(number): {"class_type": "X", "inputs": {}} for number in range(count)}
        )
        tracker.cached([str(number) for number in range(count // 2)])
        seen = 0

        def count_calls(_frame: object, event: str, _argument: object) -> None:
            nonlocal seen
            seen += event in {"call", "c_call"}

        sys.setprofile(count_calls)
        tracker.snapshot()
        sys.setprofile(None)
        return seen

    assert calls(4_000) == calls(4)


def test_nodes_that_stay_as_they_are_are_shared_with_the_ticket() -> None:
    owned = own_outputs(GRAPH, "job-1", frozenset({"SaveImage"}))
    assert owned["5"] is GRAPH["5"]
    assert owned["2"]["inputs"]["images"] == ["5", 0]
