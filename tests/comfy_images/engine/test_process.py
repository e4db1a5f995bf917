"""The process: how it starts, and how it dies."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.comfy_images.engine.graphs import empty, invert, preview, probe, save
from tests.comfy_images.engine.process import EngineProcess, running_engine


async def test_starting_empties_temp_and_keeps_the_rest(tmp_path: Path) -> None:
    kinds = ("input", "output", "temp")
    for kind in kinds:
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "old.png").touch()

    async with running_engine(tmp_path):
        pass

    left = {kind for kind in kinds if (tmp_path / kind / "old.png").exists()}
    assert left == {"input", "output"}


async def test_a_start_costs_little(tmp_path: Path) -> None:
    """0.4 s on an idle machine. Its processor time is bounded, which a busy machine stretches less."""
    async with running_engine(tmp_path) as engine:
        used = psutil.Process(engine.process.pid).cpu_times()

    assert used.user + used.system < 1.2


async def test_a_long_graph_costs_little_though_its_frames_grow_with_it(tmp_path: Path) -> None:
    """400 nodes in a chain: 32 MB of frames, 0.13 s of processor time; ComfyUI takes 4 s (sheet §2)."""
    prompt: dict[str, Any] = {"0": empty(1, width=1, height=1)}
    prompt |= {str(number): invert(str(number - 1)) for number in range(1, 400)}
    prompt["save"] = preview("399")
    async with running_engine(tmp_path) as engine, engine.client.watching() as watcher:
        process = psutil.Process(engine.process.pid)
        before = process.cpu_times()
        await watcher.run(prompt)
        after = process.cpu_times()

    assert after.user + after.system - before.user - before.system < 0.8


async def test_flags_of_comfyui_that_it_does_not_know_are_ignored(tmp_path: Path) -> None:
    flags = ("--cpu", "--disable-api-nodes", "--preview-method", "auto", "--reserve-vram", "1")
    async with running_engine(tmp_path, *flags) as engine:
        assert (await engine.client.get("/prompt")).status == 200


@pytest.mark.parametrize(("how", "code"), [("exit", 7), ("kill", -9), ("segv", -11)])
async def test_a_node_can_take_the_process_down(tmp_path: Path, how: str, code: int) -> None:
    async with running_engine(tmp_path) as engine, engine.client.watching() as watcher:
        prompt = {"1": probe("Crash", how=how), "2": save("1")}
        # The node may be faster than the answer to its own submission (sheet §4).
        with suppress(aiohttp.ClientConnectionError):
            await engine.client.submit(prompt, client_id=watcher.client_id)

        assert await asyncio.wait_for(engine.process.wait(), 10) == code


async def test_sigterm_ends_it_in_the_middle_of_a_node(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine, engine.client.watching():
        prompt_id = await engine.client.submit({"1": probe("Hang", seconds=60), "2": preview("1")})
        await engine.client.running(prompt_id)

        engine.process.terminate()

        await asyncio.wait_for(engine.process.wait(), 5)


async def test_a_poster_can_be_seen(engine: EngineProcess) -> None:
    """The first workflow of the product, from the prompt to the bytes of the file."""
    inputs = {"prompt": "Lighthouse at dusk", "seed": 1, "width": 256, "height": 256}
    prompt = {"1": {"class_type": "BurstPoster", "inputs": inputs}, "2": save("1", "poster")}
    async with engine.client.watching(metadata=True) as watcher:
        frames = await watcher.run(prompt)
    entry = await engine.client.finished(frames[-1].data["prompt_id"])
    [file] = entry["outputs"]["2"]["images"]

    answer = await engine.client.get("/view", params=file)

    assert answer.body.startswith(b"\x89PNG")
    assert any(frame.kind == 4 for frame in frames)
