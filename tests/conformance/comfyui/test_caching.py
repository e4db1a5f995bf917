"""Results are kept from one prompt to the next, by class and inputs, and no longer."""

import asyncio
import itertools
from typing import Any

import pytest
from PIL import Image

from tests.comfy_images.engine.client import EngineClient
from tests.comfy_images.engine.graphs import (
    empty,
    invert,
    load,
    node,
    preview,
    probe,
    save,
    saved_color,
)
from tests.conformance.comfyui.servers import Server

_fresh = itertools.count(0x100000)


@pytest.fixture(autouse=True)
async def forgotten(client: EngineClient) -> None:
    """Every test begins with an empty cache: only the previous prompt is remembered."""
    await client.run(saved_color(next(_fresh)))


def _cached(entry: Any) -> list[str]:
    nodes: list[str] = dict(entry["status"]["messages"])["execution_cached"]["nodes"]
    return nodes


async def test_the_same_prompt_again_is_all_cached_and_repeats_its_file(
    client: EngineClient,
) -> None:
    first = await client.run(saved_color(1))
    second = await client.run(saved_color(1))

    assert (_cached(first), _cached(second)) == ([], ["1", "2"])
    assert second["outputs"] == first["outputs"]


async def test_a_cached_run_without_client_id_has_no_outputs_before_0_19(
    client: EngineClient, server: Server
) -> None:
    """Which is why we always send one (sheet §3)."""
    first = await client.run(saved_color(1))

    entry = await client.finished(await client.submit(saved_color(1)))

    assert entry["status"]["completed"]
    assert entry["outputs"] == ({} if server.version < (0, 19) else first["outputs"])


async def test_node_ids_and_extra_data_do_not_matter(client: EngineClient) -> None:
    await client.run({"1": empty(1), "2": save("1")})

    entry = await client.run({"77": empty(1), "88": save("77")}, extra_data={"other": 1})

    assert _cached(entry) == ["77", "88"]


async def test_another_prefix_runs_the_save_node_alone(client: EngineClient) -> None:
    await client.run({"1": empty(1), "2": save("1", "one")})

    assert _cached(await client.run({"1": empty(1), "2": save("1", "other")})) == ["1"]


async def test_an_unknown_input_is_part_of_the_key(client: EngineClient) -> None:
    await client.run(saved_color(1))

    assert _cached(await client.run({"1": empty(1), "2": save("1", _nonce="n")})) == ["1"]


async def test_a_change_runs_everything_below_it(client: EngineClient) -> None:
    await client.run({"1": empty(1), "3": invert("1"), "2": save("3")})

    assert _cached(await client.run({"1": empty(2), "3": invert("1"), "2": save("3")})) == []


async def test_only_the_previous_prompt_is_remembered(client: EngineClient) -> None:
    await client.run(saved_color(1))
    await client.run(saved_color(2))

    assert _cached(await client.run(saved_color(1))) == []


async def test_two_identical_save_nodes_write_one_file(client: EngineClient) -> None:
    entry = await client.run({"1": empty(3), "2": save("1", "twin"), "4": save("1", "twin")})

    assert entry["outputs"]["2"] == entry["outputs"]["4"]


async def test_an_overwritten_input_file_runs_again(client: EngineClient, server: Server) -> None:
    source = server.base / "input" / "changing.png"
    source.write_bytes((server.base / "input" / "photo.png").read_bytes())
    prompt = {"1": load("changing.png"), "2": preview("1")}
    await client.run(prompt)
    assert _cached(await client.run(prompt)) == ["1", "2"]

    Image.new("RGB", (9, 9)).save(source)

    assert _cached(await client.run(prompt)) == []


async def test_freed_memory_forgets_results_and_unloaded_models_do_not(
    client: EngineClient,
) -> None:
    await client.run(saved_color(1))
    await client.post("/free", {"unload_models": True})
    assert _cached(await client.run(saved_color(1))) == ["1", "2"]

    await client.post("/free", {"free_memory": True})

    async with asyncio.timeout(20):  # it is acted upon between prompts, by another thread
        while _cached(await client.run(saved_color(1))):
            pass


async def test_a_failed_prompt_leaves_what_it_finished(client: EngineClient) -> None:
    failing = probe("Error", "1", kind="OSError", message="x")
    entry = await client.run({"1": empty(4), "7": failing, "2": save("7")})
    assert not entry["status"]["completed"]

    assert _cached(await client.run({"1": empty(4), "2": save("1")})) == ["1"]


async def test_a_cached_output_whose_file_was_deleted_still_succeeds_and_is_not_found(
    client: EngineClient, server: Server
) -> None:
    first = await client.run(saved_color(1, "deleted"))
    [file] = first["outputs"]["2"]["images"]
    (server.base / "output" / file["filename"]).unlink()

    second = await client.run(saved_color(1, "deleted"))

    assert second["status"]["completed"]
    assert second["outputs"] == first["outputs"]
    assert (await client.get("/view", params=file)).status == 404


async def test_what_a_client_calls_is_changed_matters_to_no_node_without_that_method(
    client: EngineClient,
) -> None:
    prompt = saved_color(1)
    await client.run(prompt)

    prompt["1"]["is_changed"] = ["other"]

    assert _cached(await client.run(prompt)) == ["1", "2"]


async def test_a_cached_output_that_showed_nothing_is_told_as_null(client: EngineClient) -> None:
    prompt = {"1": node("ProbeBlocker", message=""), "2": save("1")}
    await client.run(prompt)

    async with client.watching() as watcher:
        frames = await watcher.run(prompt)

    [executed] = [frame.data for frame in frames if frame.kind == "executed"]
    assert (executed["node"], executed["output"]) == ("2", None)


async def test_the_same_prompt_draws_the_same_bytes_once_it_is_forgotten(
    client: EngineClient, server: Server
) -> None:
    noise = node("ImageAddNoise", image=["1", 0], seed=42, strength=0.5)
    prompt = {"1": empty(0x808080), "3": noise, "2": save("3", "same")}
    contents: list[bytes] = []
    for _ in range(2):
        [file] = (await client.run(prompt))["outputs"]["2"]["images"]
        contents.append((server.base / "output" / file["filename"]).read_bytes())
        await client.run(saved_color(next(_fresh)))

    assert contents[0] == contents[1]
