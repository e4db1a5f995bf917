"""The frames of a run, one by one, against those of ComfyUI 0.8.0."""

from typing import Any

import pytest

from tests.comfy_images.engine.captures import (
    by_node,
    captured_frames,
    comparable,
    load,
    outputs_as_captured,
)
from tests.comfy_images.engine.client import EngineClient, Frame
from tests.comfy_images.engine.graphs import (
    empty,
    invert,
    node,
    preview,
    probe,
    save,
    saved_color,
    steps,
)
from tests.conformance.comfyui.servers import Server


def _assert_alike(server: Server, frames: list[Frame], capture: str) -> None:
    """The captured frames, in the captured order.

    ComfyUI decides at random which of several outputs comes first (sheet §3), so that of it only the
    frames of each node are compared. The engine goes by the order of the prompt.
    """
    captured = captured_frames(capture)
    assert by_node(frames) == by_node(captured)
    if not server.is_comfyui:
        assert comparable(frames) == comparable(captured)


async def test_the_photo_workflow_sends_the_captured_frames(
    client: EngineClient, server: Server
) -> None:
    await client.run(saved_color(0x100000))  # lets it forget: nothing is cached
    async with client.watching() as watcher:
        frames = await watcher.run(load("1-photo-edit.json"))

    _assert_alike(server, frames, "workflow-1-photo-edit")


@pytest.mark.parametrize(("capture", "metadata"), [("preview4", True), ("preview1", False)])
async def test_progress_and_previews_come_as_captured(
    client: EngineClient, server: Server, capture: str, *, metadata: bool
) -> None:
    """With negotiated metadata a preview precedes its progress, without it follows."""
    prompt = {
        "1": empty(int(metadata)),
        "5": probe("Steps", "1", steps=3, seconds=0.01, preview=True),
        "2": save("5", "prog"),
        "3": preview("5"),
    }
    await client.run({"1": empty(int(metadata)), "2": save("1")})

    async with client.watching(metadata=metadata) as watcher:
        frames = await watcher.run(prompt)

    expected = captured_frames(f"progress-{capture}")
    if capture == "preview4":  # then node 1 had run for the first time
        expected = _without_first_node(expected)
    ours, theirs = by_node(_from_probe(frames)), by_node(_from_probe(expected))
    assert ours == theirs
    if not server.is_comfyui:
        assert comparable(_from_probe(frames)) == comparable(_from_probe(expected))
    images = [frame.image for frame in frames if frame.image]
    assert len(images) == 3
    assert all(image.startswith(b"\xff\xd8\xff") for image in images)


async def test_a_run_from_the_cache_resends_the_outputs_as_captured(
    client: EngineClient, server: Server
) -> None:
    prompt = {"1": empty(11), "5": invert("1"), "2": save("5", "prog"), "3": preview("5")}
    await client.run(prompt)

    async with client.watching() as watcher:
        frames = await watcher.run(prompt)

    _assert_alike(server, frames, "cached")


@pytest.mark.parametrize(
    ("capture", "failing"),
    [
        ("error-valueerror", probe("Error", "1", kind="ValueError", message="boom")),
        ("error-oom", probe("OutOfMemory", "1")),
    ],
)
async def test_a_failing_node_is_reported_as_captured(
    client: EngineClient, capture: str, failing: Any
) -> None:
    await client.run({"1": empty(1), "2": save("1")})

    async with client.watching() as watcher:
        frames = await watcher.run({"1": empty(1), "7": failing, "2": save("7", "r8")})

    expected = captured_frames(capture)
    ours, theirs = _error(frames), _error(expected)
    for data in (ours, theirs):
        del data["node_type"], data["current_inputs"]
        data["traceback"] = bool(data["traceback"] is not None)
    assert comparable(frames) == comparable(expected)


async def test_the_inputs_of_a_failed_node_are_echoed_as_text(client: EngineClient) -> None:
    entry = await client.run({"7": probe("Error", kind="KeyError", message="gone"), "2": save("7")})

    kind, data = entry["status"]["messages"][-1]
    assert (kind, data["exception_message"], data["exception_type"]) == (
        "execution_error",
        "'gone'\n",
        "KeyError",
    )
    assert data["current_inputs"] == {"kind": ["KeyError"], "message": ["gone"]}
    assert "probes.py" in "".join(data["traceback"])


async def test_a_text_is_shown_while_its_node_runs(client: EngineClient, server: Server) -> None:
    async with client.watching() as watcher:
        frames = await watcher.run({"1": node("ProbeText", text="hello", what="progress")})

    _assert_alike(server, frames, "text")


async def test_a_node_that_shows_nothing_has_no_output(client: EngineClient) -> None:
    async with client.watching() as watcher:
        frames = await watcher.run({"1": node("ProbeText", text="hello", what="nothing")})
    entry = await client.finished(frames[-1].data["prompt_id"])

    assert "executed" not in {frame.kind for frame in frames}
    assert (entry["outputs"], entry["meta"]) == ({}, {})


async def test_a_node_that_expands_is_shown_in_place_of_those_it_becomes(
    client: EngineClient, server: Server
) -> None:
    prompt = {"1": node("ProbeExpand", n=3, fails=False), "2": save("1", "exp")}
    await client.run(saved_color(0x100001))
    async with client.watching() as watcher:
        frames = await watcher.run(prompt)
    entry = await client.finished(frames[-1].data["prompt_id"])

    _assert_alike(server, frames, "expand")
    assert entry["meta"]["1.0.0.2"] == {
        "node_id": "1.0.0.2",
        "display_node": "1",
        "parent_node": "1",
        "real_node_id": "1",
    }
    assert entry["meta"].keys() == entry["outputs"].keys() == {"1.0.0.2", "2"}


async def test_an_error_inside_a_subgraph_names_the_node_that_the_client_knows(
    client: EngineClient,
) -> None:
    entry = await client.run({"1": node("ProbeExpand", n=2, fails=True), "2": save("1")})

    kind, data = entry["status"]["messages"][-1]
    assert (kind, data["node_id"], data["node_type"]) == ("execution_error", "1", "ProbeExpand")
    assert data["executed"] == ["1.0.0.1"]
    assert data["exception_message"] == "inside\n"


async def test_a_blocked_output_is_an_error_that_ends_nothing(
    client: EngineClient, server: Server
) -> None:
    prompt = {
        "1": node("ProbeBlocker", message="nope"),
        "2": save("1", "r8"),
        "3": empty(9),
        "4": save("3", "r8"),
    }
    await client.run(saved_color(0x100002))
    async with client.watching() as watcher:
        frames = await watcher.run(outputs_as_captured(prompt, ["4", "2"]))
    entry = await client.finished(frames[-1].data["prompt_id"])

    if server.is_comfyui:  # which of the two outputs is first decides what had been executed
        for data in (_error(frames), _error(captured := captured_frames("blocker"))):
            del data["executed"]
        assert by_node(frames) == by_node(captured)
    else:
        _assert_alike(server, frames, "blocker")
    assert entry["status"]["status_str"] == "success"
    kinds = [kind for kind, _ in entry["status"]["messages"]]
    assert kinds == ["execution_start", "execution_cached", "execution_success"]
    assert list(entry["outputs"]) == ["4"]


async def test_a_blocker_without_a_message_is_silent(client: EngineClient) -> None:
    async with client.watching() as watcher:
        frames = await watcher.run({"1": node("ProbeBlocker", message=""), "2": save("1")})

    assert "execution_error" not in {frame.kind for frame in frames}
    assert (await client.finished(frames[-1].data["prompt_id"]))["outputs"] == {}


async def test_a_node_that_takes_lists_is_blocked_too(client: EngineClient) -> None:
    prompt = {
        "1": node("ProbeBlocker", message="nope"),
        "2": node("ProbeTogether", images=["1", 0], factor=1),
    }
    async with client.watching() as watcher:
        frames = await watcher.run(prompt)

    assert _error(frames)["exception_type"] == "ExecutionBlocked"
    assert (await client.finished(frames[-1].data["prompt_id"]))["outputs"] == {}


async def test_a_node_that_awaits_begins_before_those_that_do_not(client: EngineClient) -> None:
    prompt = {
        "9": empty(0x30),
        "8": save("9", "sync"),
        "1": node("ProbeAsync", seconds=0.2, level=0.4),
        "2": save("1", "async"),
    }
    async with client.watching() as watcher:
        frames = await watcher.run(prompt)

    executing = [frame.data["node"] for frame in frames if frame.kind == "executing"]
    assert executing == ["1", "9", "8", "2", None]


async def test_a_failure_ends_the_prompt_though_another_node_awaits(client: EngineClient) -> None:
    prompt = {
        "1": node("ProbeAsync", seconds=30, level=0.3),
        "2": save("1", "async"),
        "3": probe("Error", kind="ValueError", message="m"),
        "4": save("3", "async"),
    }
    entry = await client.run(prompt)

    assert entry["status"]["messages"][-1][0] == "execution_error"
    assert (await client.run(saved_color(77)))["status"]["completed"]


async def test_a_list_runs_what_follows_once_per_element_and_others_once(
    client: EngineClient,
) -> None:
    prompt = {
        "1": node("ProbeList", n=3),
        "2": node("ProbeTogether", images=["1", 0], factor=2),
        "3": save("1", "list"),
    }

    entry = await client.run(prompt)

    assert entry["outputs"]["2"] == {"text": ["6"]}
    assert len(entry["outputs"]["3"]["images"]) == 3


async def test_only_the_wanted_lazy_input_runs_and_the_node_begins_twice(
    client: EngineClient,
) -> None:
    prompt = {
        "1": empty(0x20),
        "4": empty(0x21),
        "3": node("ProbeSwitch", first=True, a=["1", 0], b=["4", 0]),
        "2": save("3", "lazy"),
    }
    async with client.watching() as watcher:
        frames = await watcher.run(prompt)

    executing = [frame.data["node"] for frame in frames if frame.kind == "executing"]
    assert executing == ["3", "1", "3", "2", None]


async def test_nodes_that_await_do_so_at_the_same_time(client: EngineClient) -> None:
    """Each begins at once, and ends without beginning again."""
    prompt = {
        "1": node("ProbeAsync", seconds=0.4, level=0.1),
        "3": node("ProbeAsync", seconds=0.2, level=0.2),
        "2": save("1", "async"),
        "4": save("3", "async"),
    }
    async with client.watching() as watcher:
        frames = await watcher.run(prompt)

    executing = [frame.data["node"] for frame in frames if frame.kind == "executing"]
    assert set(executing[:2]) == {"1", "3"}
    assert executing[2:] == ["4", "2", None]


async def test_the_history_is_written_before_the_last_frame(client: EngineClient) -> None:
    for color in range(20, 30):
        async with client.watching() as watcher:
            frames = await watcher.run(saved_color(color))
            entry = (await client.get(f"/history/{frames[-1].data['prompt_id']}")).body
        assert entry


async def test_frames_begin_with_the_status_and_a_made_up_id(client: EngineClient) -> None:
    async with client.session.ws_connect("/ws") as socket:
        first = await socket.receive_json(timeout=5)

    assert first["type"] == "status"
    assert first["data"]["status"]["exec_info"]["queue_remaining"] == 0
    assert len(first["data"]["sid"]) == 32


async def test_only_the_first_message_negotiates_feature_flags(client: EngineClient) -> None:
    flags = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
    async with client.watching() as watcher:
        await watcher.socket.send_json({"type": "hello"})
        await watcher.socket.send_json(flags)

        assert await watcher.silent()


async def test_without_a_client_id_only_progress_reaches_everybody(
    client: EngineClient,
) -> None:
    async with client.watching() as watcher:
        await client.submit(steps(1, 0.01))
        done = {"queue_remaining": 0}
        await watcher.until(lambda f: f.kind == "status" and f.data["status"]["exec_info"] == done)

    assert {frame.kind for frame in watcher.frames} == {"status", "progress", "progress_state"}


async def test_an_empty_client_id_is_nobody(client: EngineClient) -> None:
    async with client.watching() as watcher:
        await client.finished(await client.submit(steps(1, 0.01), client_id=""))
        assert await watcher.silent() or all(f.kind == "status" for f in watcher.frames)


async def test_who_reconnects_learns_the_node_that_runs(client: EngineClient) -> None:
    async with client.watching("again") as watcher:
        await client.submit(steps(30, 0.02), client_id="again")
        await watcher.until(lambda frame: frame.kind == "executing")

    async with client.watching("again") as watcher:
        told = await watcher.until(lambda frame: frame.kind == "executing")
        await watcher.until(lambda frame: frame.kind == "execution_success")

    assert told.data == {"node": "5"}


def _from_probe(frames: list[Frame]) -> list[Frame]:
    """From the start of node 5 on."""
    starts = [f.kind == "executing" and f.data["node"] == "5" for f in frames]
    return [Frame("execution_start", {}), *frames[starts.index(True) :]]


def _without_first_node(frames: list[Frame]) -> list[Frame]:
    """As if node 1 had been cached."""
    for frame in frames:
        if frame.kind == "progress_state":
            frame.data["nodes"].pop("1", None)
    return frames


def _error(frames: list[Frame]) -> Any:
    return next(frame.data for frame in frames if frame.kind == "execution_error")
