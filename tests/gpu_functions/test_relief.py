"""Memory that is short after a run is given back before the next one."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from gpu_functions.comfyui.client import ComfyClient, connect
from gpu_functions.comfyui.relief import Relief, free_shares

GB = 10**9


@dataclass
class Memory:
    """What `/system_stats` says, and what was asked of `/free`."""

    ram_free: object = 30 * GB
    vram_free: object = 20 * GB
    freed: list[Any] = field(default_factory=list[Any])

    async def stats(self, _request: web.Request) -> web.Response:
        return web.json_response(
            {
                "system": {"ram_total": 32 * GB, "ram_free": self.ram_free},
                "devices": [{"vram_total": 24 * GB, "vram_free": self.vram_free}],
            }
        )

    async def free(self, request: web.Request) -> web.Response:
        self.freed.append(await request.json())
        return web.Response()


@pytest.fixture
def memory() -> Memory:
    return Memory()


@pytest.fixture
async def client(memory: Memory) -> AsyncGenerator[ComfyClient]:
    application = web.Application()
    application.add_routes([web.get("/system_stats", memory.stats), web.post("/free", memory.free)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with connect(f"http://127.0.0.1:{runner.addresses[0][1]}") as http:
        yield ComfyClient(http)
    await runner.cleanup()


async def test_enough_memory_is_left_alone(memory: Memory, client: ComfyClient) -> None:
    assert not await Relief().after_run(client)
    assert not memory.freed


@pytest.mark.parametrize("which", ["ram_free", "vram_free"])
async def test_short_memory_loses_what_nodes_left_but_no_model(
    memory: Memory, client: ComfyClient, which: str
) -> None:
    setattr(memory, which, 2 * GB)
    assert await Relief().after_run(client)
    assert memory.freed == [{"unload_models": False, "free_memory": True}]


async def test_what_the_runs_need_each_time_is_not_dropped_each_time(
    memory: Memory, client: ComfyClient
) -> None:
    relief = Relief()
    said: list[bool] = []
    for free in (1, 1, 1, 20, 1):
        memory.vram_free = free * GB
        said.append(await relief.after_run(client))
    assert said == [True, False, False, False, True]


@pytest.mark.parametrize(
    "stats",
    [
        {},
        {"system": {}, "devices": None},
        {"system": {"ram_total": 0, "ram_free": 0}, "devices": [{"vram_total": None}, 5]},
    ],
)
def test_sizes_that_are_not_told_are_not_short(stats: dict[str, Any]) -> None:
    assert not list(free_shares(stats))
