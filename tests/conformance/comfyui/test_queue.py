"""The queue, its deletion, and interruption."""

import asyncio
import uuid
from typing import Any

import pytest

from tests.comfy_images.engine.captures import load, timeless
from tests.comfy_images.engine.client import EngineClient
from tests.comfy_images.engine.graphs import empty, node, preview, probe, save, saved_color, steps


async def test_prompts_wait_in_order_with_the_front_one_first(client: EngineClient) -> None:
    running = await client.submit(steps(100, 0.02))
    await client.running(running)
    later = await client.submit(saved_color(1))
    front = await client.submit(saved_color(2), front=True)

    queue = (await client.get("/queue")).body
    remaining = (await client.get("/prompt")).body
    await client.post("/interrupt")
    await client.finished(later)

    assert [item[1] for item in queue["queue_running"]] == [running]
    assert [item[1] for item in queue["queue_pending"]] == [front, later]
    assert remaining == {"exec_info": {"queue_remaining": 3}}
    history = (await client.get("/history")).body
    assert list(history)[-3:] == [running, front, later]


async def test_a_deleted_prompt_never_runs_and_the_running_one_stays(
    client: EngineClient,
) -> None:
    running = await client.submit(steps(20, 0.02), client_id="c")
    await client.running(running)
    pending = await client.submit(saved_color(3))

    for prompt_id in (pending, running, "unknown"):
        answer = await client.post("/queue", {"delete": [prompt_id]})
        assert (answer.status, answer.body) == (200, b"")

    assert (await client.finished(running))["status"]["completed"]
    assert (await client.get(f"/history/{pending}")).body == {}


async def test_clearing_drops_all_that_waits(client: EngineClient) -> None:
    running = await client.submit(steps(20, 0.02), client_id="c")
    await client.running(running)
    await client.submit(saved_color(4))
    await client.submit(saved_color(5))

    await client.post("/queue", {"clear": True})

    assert len((await client.get("/queue")).body["queue_pending"]) == 0
    assert (await client.finished(running))["status"]["completed"]


async def test_an_interrupted_prompt_ends_at_its_next_step_as_captured(
    client: EngineClient,
) -> None:
    prompt_id = await client.submit(steps(1000, 0.02), client_id="c")
    await client.running(prompt_id)

    entry = await client.interrupted(prompt_id)

    captured = next(iter(load("jobs.json")["history interrupted"].values()))
    captured["status"]["messages"][-1][1]["node_type"] = "BurstProbeSteps"
    assert timeless(entry["status"]) == timeless(captured["status"])
    assert entry["outputs"] == {}


async def test_an_interruption_of_another_prompt_is_ignored(client: EngineClient) -> None:
    running = await client.submit(steps(20, 0.02), client_id="c")
    await client.running(running)
    pending = await client.submit(saved_color(6), client_id="c")

    for prompt_id in (pending, "unknown"):
        await client.post("/interrupt", {"prompt_id": prompt_id})

    assert (await client.finished(running))["status"]["completed"]
    assert (await client.finished(pending))["status"]["completed"]


async def test_an_idle_interruption_is_forgotten(client: EngineClient) -> None:
    assert (await client.post("/interrupt")).status == 200

    assert (await client.run(steps(2, 0.01)))["status"]["completed"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/interrupt", []),
        ("POST", "/free", None),
        ("POST", "/queue", None),
        ("POST", "/history", None),
        ("GET", "/history?max_items=abc", None),
    ],
)
async def test_what_it_does_not_expect_is_an_internal_error_in_plain_text(
    client: EngineClient, method: str, path: str, body: Any
) -> None:
    content = {} if body is None else {"json": body}

    answer = await client.send(method, path, **content)

    assert answer.status == 500
    assert answer.headers["Content-Type"].startswith("text/plain")


async def test_front_runs_next_and_a_given_number_decides(client: EngineClient) -> None:
    running = await client.submit(steps(100, 0.02))
    await client.running(running)
    late, plain, front = (str(uuid.uuid4()) for _ in range(3))
    for prompt_id, body in ((late, {"number": 1e9}), (plain, {}), (front, {"front": True})):
        await client.submit(saved_color(7), prompt_id=prompt_id, client_id="c", **body)
    await client.post("/interrupt")
    await client.finished(late)

    assert list((await client.get("/history")).body)[-4:] == [running, front, plain, late]


async def test_what_was_dropped_of_a_prompt_is_told_and_the_rest_succeeds(
    client: EngineClient,
) -> None:
    """`node_errors` beside a 200: our executor tells its user (sheet §8)."""
    bad = {"class_type": "SaveImage", "inputs": {"images": ["9", 0]}}
    body = {"prompt": {"9": empty(8), "2": save("9", "good"), "3": bad}, "client_id": "c"}

    answer = await client.post("/prompt", body)
    entry = await client.finished(answer.body["prompt_id"])

    assert answer.status == 200
    [error] = answer.body["node_errors"]["3"]["errors"]
    assert error["type"] == "required_input_missing"
    assert entry["status"]["status_str"] == "success"
    assert list(entry["outputs"]) == ["2"]


async def test_targets_limit_what_runs(client: EngineClient) -> None:
    prompt = {"9": empty(8), "2": save("9", "one"), "3": save("9", "other")}

    entry = await client.run(prompt, partial_execution_targets=["3"])

    assert entry["prompt"][4] == ["3"]
    assert list(entry["outputs"]) == ["3"]


async def test_a_head_is_answered_and_a_put_is_not_allowed(client: EngineClient) -> None:
    assert (await client.send("HEAD", "/prompt")).status == 200
    assert (await client.send("PUT", "/prompt")).status == 405


async def test_a_node_that_never_looks_is_interrupted_at_the_next_node(
    client: EngineClient,
) -> None:
    prompt = {"1": probe("Hang", seconds=1.0), "2": save("1")}

    kind, data = await _interrupted_within(client, prompt)

    assert (kind, data["node_id"], data["executed"]) == ("execution_interrupted", "2", ["1"])


async def test_a_node_that_awaits_is_interrupted_at_the_next_node_too(
    client: EngineClient,
) -> None:
    prompt = {"1": node("ProbeAsync", seconds=1.0, level=0.6), "2": save("1")}

    kind, data = await _interrupted_within(client, prompt)

    assert (kind, data["node_id"]) == ("execution_interrupted", "2")


async def _interrupted_within(client: EngineClient, prompt: Any) -> tuple[str, Any]:
    """The last message of a prompt that is interrupted while its node "1" works for a second.

    A node is announced just before the server looks for interruptions a last time.
    """
    async with client.watching() as watcher:
        prompt_id = await client.submit(prompt, client_id=watcher.client_id)
        await watcher.until(lambda frame: frame.kind == "executing" and frame.data["node"] == "1")
        await asyncio.sleep(0.2)
        await client.post("/interrupt")
        kind, data = (await client.finished(prompt_id))["status"]["messages"][-1]
    return kind, data


async def test_the_server_answers_while_a_node_works(client: EngineClient) -> None:
    prompt_id = await client.submit({"1": probe("Hang", seconds=0.4), "2": preview("1")})
    await client.running(prompt_id)

    assert (await client.get("/system_stats")).status == 200
    assert (await client.get(f"/history/{prompt_id}")).body == {}
    await client.finished(prompt_id)


async def test_an_error_keeps_the_outputs_that_came_before(client: EngineClient) -> None:
    late = probe("Error", "1", kind="ValueError", message="late")
    entry = await client.run({"1": empty(31), "2": save("1", "partial"), "7": late, "3": save("7")})

    assert entry["status"]["status_str"] == "error"
    assert list(entry["outputs"]) == ["2"]


async def test_a_history_entry_can_be_deleted_and_all_of_them_cleared(
    client: EngineClient,
) -> None:
    first = await client.submit(saved_color(50), client_id="c")
    second = await client.submit(saved_color(51), client_id="c")
    await client.finished(second)

    assert list((await client.get("/history", params={"max_items": 1})).body) == [second]
    await client.post("/history", {"delete": [second]})
    assert (await client.get(f"/history/{second}")).body == {}
    assert (await client.get(f"/history/{first}")).body != {}
    await client.post("/history", {"clear": True})
    assert (await client.get("/history")).body == {}
