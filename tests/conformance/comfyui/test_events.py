"""The frames of a run, one by one, against those of ComfyUI 0.8.0."""

from typing import Any

import pytest

from tests.comfy_images.engine.captures import (
    by_node,
    captured_frames,
    comparable,
    load,
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
from tests.conformance.comfyui.alike import assert_alike, error_of
from tests.conformance.comfyui.servers import Server


async def test_the_photo_workflow_sends_the_captured_frames(
    client: EngineClient, server: Server
) -> None:
    await client.run(saved_color(0x100000))  # lets it forget: nothing is cached
    async with client.watching() as watcher:
        frames = await watcher.run(load("1-photo-edit.json"))

    assert_alike(server, frames, "workflow-1-photo-edit")


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

    assert_alike(server, frames, "cached")


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
    ours, theirs = error_of(frames), error_of(expected)
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

    assert_alike(server, frames, "text")


async def test_a_node_that_shows_nothing_has_no_output(client: EngineClient) -> None:
    async with client.watching() as watcher:
        frames = await watcher.run({"1": node("ProbeText", text="hello", what="nothing")})
    entry = await client.finished(frames[-1].data["prompt_id"])

    assert "executed" not in {frame.kind for frame in frames}
    assert (entry["outputs"], entry["meta"]) == ({}, {})


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
