"""What ends, deafens or opens a ComfyUI, and does the engine no harm."""

import io
import json
from typing import Any

import aiohttp
import pytest

from tests.comfy_images.engine.client import EngineClient
from tests.comfy_images.engine.graphs import empty, invert, preview, save, saved_color, steps
from tests.comfy_images.engine.process import EngineProcess


async def test_a_newer_socket_keeps_the_id_when_the_older_one_closes(
    client: EngineClient,
) -> None:
    """ComfyUI makes the newer one deaf (sheet §2)."""
    async with client.watching("same") as older, client.watching("same") as newer:
        await older.socket.close()
        frames = await newer.run(saved_color(31))

    assert frames[-1].kind == "executing"


async def test_a_client_that_stopped_reading_does_not_hold_up_the_others(
    client: EngineClient,
) -> None:
    async with client.watching("asleep"), client.watching() as awake:
        await client.submit(steps(400, 0.0, preview_images=True), client_id="asleep")
        frames = await awake.run(saved_color(32))

    assert frames[-1].kind == "executing"


async def test_two_prompts_of_the_same_id_and_number_both_run(client: EngineClient) -> None:
    """ComfyUI's queue dies of them (sheet §4)."""
    running = await client.submit(steps(10, 0.02), client_id="c")
    await client.running(running)

    for color in (60, 61):
        await client.submit(saved_color(color), prompt_id="same", number=7, client_id="c")

    assert (await client.run(saved_color(62), number=8))["status"]["completed"]
    entry = (await client.get("/history/same")).body["same"]
    assert entry["prompt"][2]["1"]["inputs"]["color"] == 61


async def test_a_client_id_that_is_no_text_harms_nobody(client: EngineClient) -> None:
    """ComfyUI's process ends (sheet §4)."""
    async with client.watching() as watcher:
        await client.submit(saved_color(63), client_id=["a"])
        frames = await watcher.run(saved_color(64))

    assert frames[-1].kind == "executing"


async def test_a_prompt_that_cannot_begin_fails_alone(client: EngineClient) -> None:
    """A wrapped list is a value when it is validated and a link, here to itself, when it runs."""
    loop = {"image": {"__value__": ["1", 0]}, "kind": "OSError", "message": "x"}
    prompt = {"1": {"class_type": "BurstProbeError", "inputs": loop}, "2": preview("1")}

    entry = await client.run(prompt)

    assert entry["status"]["messages"][-1][0] == "execution_error"
    assert (await client.run(saved_color(65)))["status"]["completed"]


async def test_an_unknown_class_says_that_this_is_the_engine_and_how_to_get_comfyui(
    client: EngineClient,
) -> None:
    prompt: Any = {"1": {"class_type": "KSampler", "inputs": {}}}

    error = (await client.post("/prompt", {"prompt": prompt})).body["error"]

    assert error["message"] == "Cannot execute because node KSampler does not exist."
    for word in ("Node ID '#1'", "embedded engine", "COMFYUI_URL", "COMFYUI_DIR"):
        assert word in error["details"]


async def test_a_chain_of_two_thousand_nodes_is_valid(client: EngineClient) -> None:
    """ComfyUI fails with its recursion limit here; the engine has none."""
    prompt: dict[str, Any] = {"0": empty()}
    prompt |= {str(i): invert(str(i - 1)) for i in range(1, 2000)}
    prompt["save"] = save("1999")

    answer = await client.post("/prompt", {"prompt": prompt})
    await client.post("/interrupt", {})

    assert answer.status == 200


@pytest.mark.parametrize("inputs", ["abc", [], 5])
async def test_inputs_that_are_no_object_are_an_error_of_their_node(
    client: EngineClient, inputs: Any
) -> None:
    """In ComfyUI lists pass, and end its worker thread (sheet §4)."""
    prompt = {"1": {"class_type": "BurstProbeOutOfMemory", "inputs": inputs}, "2": save("1")}

    answer = await client.post("/prompt", {"prompt": prompt})

    errors = answer.body["node_errors"]["1"]["errors"]
    assert [error["type"] for error in errors] == ["exception_during_inner_validation"]


async def test_an_unknown_input_that_names_an_absent_node_is_ignored(
    client: EngineClient,
) -> None:
    """ComfyUI's worker thread dies of it (sheet §4)."""
    prompt = {"1": empty(7, surprise=["99", 0]), "2": save("1")}

    assert (await client.run(prompt))["status"]["completed"]


async def test_a_link_out_of_a_folder_is_not_followed(
    client: EngineClient, engine: EngineProcess
) -> None:
    (engine.base / "input" / "outside").symlink_to("/etc/passwd")

    answer = await client.get("/view", params={"filename": "outside", "type": "input"})

    assert (answer.status, answer.body) == (403, b"")


async def test_a_numbered_batch_is_never_written_over(client: EngineClient) -> None:
    """ComfyUI does not find names with %batch_num% again, and begins anew at 1."""
    for color, first in ((70, "nth_0_00001_.png"), (71, "nth_0_00002_.png")):
        entry = await client.run({"1": empty(color), "2": save("1", "nth_%batch_num%")})
        assert entry["outputs"]["2"]["images"][0]["filename"] == first


async def test_a_mask_cannot_name_an_original_outside(client: EngineClient) -> None:
    form = aiohttp.FormData()
    form.add_field("image", io.BytesIO(b""), filename="masked.png")
    form.add_field("original_ref", json.dumps({"filename": "../../secret.png", "type": "input"}))

    assert (await client.send("POST", "/upload/mask", data=form)).status == 400
