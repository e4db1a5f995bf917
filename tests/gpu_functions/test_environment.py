import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest
from aiohttp import web

from gpu_functions.comfyui.client import ComfyClient, ComfyUnreachableError, connect
from gpu_functions.comfyui.graph import output_classes
from gpu_functions.comfyui.process import Running
from gpu_functions.environment import describe, storable

STATS = {
    "system": {"comfyui_version": "0.8.0", "python_version": "3.11.7"},
    "devices": [{"name": "cpu", "vram_free": 1}],
}


class Speaker:
    """Answers /object_info with whatever a test wants said, as text."""

    def __init__(self) -> None:
        self.text = "{}"
        self.url = ""

    async def object_info(self, _request: web.Request) -> web.Response:
        return web.Response(text=self.text, content_type="application/json")


@pytest.fixture
async def speaker() -> AsyncGenerator[Speaker, None]:
    speaker = Speaker()
    application = web.Application()
    application.add_routes([web.get("/object_info", speaker.object_info)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    speaker.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield speaker
    await runner.cleanup()


async def digest(speaker: Speaker, stats: dict[str, Any] = STATS) -> str:
    async with connect(speaker.url) as http:
        running = Running(speaker.url, ComfyClient(http), stats, None, asyncio.Event(), "")
        return (await describe(running)).digest


async def test_the_digest_follows_nodes_and_versions_and_nothing_else(speaker: Speaker) -> None:
    speaker.text = json.dumps({"A": {"output_node": True}, "B": {}})
    first = await digest(speaker)
    speaker.text = json.dumps({"B": {}, "A": {"output_node": True}})
    busier = STATS | {"devices": [{"name": "cpu", "vram_free": 2}]}
    assert await digest(speaker, busier) == first
    newer = STATS | {"system": {"comfyui_version": "0.9.0", "python_version": "3.11.7"}}
    assert await digest(speaker, newer) != first
    speaker.text = json.dumps({"A": {"output_node": True}})
    assert await digest(speaker) != first


async def test_an_answer_that_is_not_json_is_no_environment_without_nodes(speaker: Speaker) -> None:
    speaker.text = "<html>"
    with pytest.raises(ComfyUnreachableError):
        await digest(speaker)


def test_what_a_database_refuses_is_taken_out() -> None:
    said = {"a\0": [float("nan"), 1.5, "x\0y", "\ud800"], "b": {"c": float("inf")}, "d": None}
    assert storable(said) == {"a": [None, 1.5, "xy", "?"], "b": {"c": None}, "d": None}


def test_output_nodes_are_read_from_object_info() -> None:
    info = {"A": {"output_node": True}, "B": {"output_node": False}, "C": None}
    assert output_classes(info) == {"A"}
