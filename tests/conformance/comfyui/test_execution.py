"""Nodes that are more than functions: they expand, block, await, take lists, ask for lazy inputs."""

from tests.comfy_images.engine.captures import by_node, captured_frames, outputs_as_captured
from tests.comfy_images.engine.client import EngineClient
from tests.comfy_images.engine.graphs import empty, node, probe, save, saved_color
from tests.conformance.comfyui.alike import assert_alike, error_of
from tests.conformance.comfyui.servers import Server


async def test_a_node_that_expands_is_shown_in_place_of_those_it_becomes(
    client: EngineClient, server: Server
) -> None:
    prompt = {"1": node("ProbeExpand", n=3, fails=False), "2": save("1", "exp")}
    await client.run(saved_color(0x100001))
    async with client.watching() as watcher:
        frames = await watcher.run(prompt)
    entry = await client.finished(frames[-1].data["prompt_id"])

    assert_alike(server, frames, "expand")
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
        for data in (error_of(frames), error_of(captured := captured_frames("blocker"))):
            del data["executed"]
        assert by_node(frames) == by_node(captured)
    else:
        assert_alike(server, frames, "blocker")
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

    assert error_of(frames)["exception_type"] == "ExecutionBlocked"
    assert (await client.finished(frames[-1].data["prompt_id"]))["outputs"] == {}


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
