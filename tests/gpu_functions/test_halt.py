"""Stopping a prompt: by the new route where there is one, by the old ways where not."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web

from gpu_functions.comfyui.client import ComfyClient, connect
from gpu_functions.comfyui.halt import halt
from gpu_functions.comfyui.process import free_port
from gpu_functions.contract import Canceled, Succeeded
from gpu_functions.settings import WorkerSettings
from tests.doubles.front_door import FrontDoorDouble, eventually
from tests.gpu_functions.engine import bench, image, steps


@dataclass
class Prompts:
    """A ComfyUI's queue, and every request to stop something, by its path."""

    running: list[str] = field(default_factory=list[str])
    pending: list[str] = field(default_factory=list[str])
    asked: Counter[str] = field(default_factory=Counter[str])
    cancel: dict[str, Any] | None = None
    """What the new route answers instead of doing it."""

    async def queue(self, _request: web.Request) -> web.Response:
        def items(ids: list[str]) -> list[object]:
            return [[0, one, {}, {}, []] for one in ids]

        return web.json_response(
            {"queue_running": items(self.running), "queue_pending": items(self.pending)}
        )

    async def delete(self, request: web.Request) -> web.Response:
        self.asked["/queue"] += 1
        (prompt_id,) = (await request.json())["delete"]
        self.pending = [one for one in self.pending if one != prompt_id]
        return web.Response()

    async def interrupt(self, request: web.Request) -> web.Response:
        self.asked["/interrupt"] += 1
        prompt_id = (await request.json())["prompt_id"]
        self.running = [one for one in self.running if one != prompt_id]
        return web.Response()

    async def cancel_job(self, request: web.Request) -> web.Response:
        self.asked["/cancel"] += 1
        if self.cancel is not None:
            return web.Response(**self.cancel)
        prompt_id = request.match_info["id"]
        known = prompt_id in (*self.running, *self.pending)
        self.running = [one for one in self.running if one != prompt_id]
        self.pending = [one for one in self.pending if one != prompt_id]
        return web.json_response({"cancelled": known})


@asynccontextmanager
async def serving(prompts: Prompts, *, is_new: bool) -> AsyncGenerator[ComfyClient]:
    application = web.Application()
    application.add_routes(
        [
            web.get("/queue", prompts.queue),
            web.post("/queue", prompts.delete),
            web.post("/interrupt", prompts.interrupt),
        ]
    )
    if is_new:
        application.add_routes([web.post("/api/jobs/{id}/cancel", prompts.cancel_job)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with connect(f"http://127.0.0.1:{runner.addresses[0][1]}") as http:
        yield ComfyClient(http)
    await runner.cleanup()


@pytest.mark.parametrize("where", ["running", "pending"])
async def test_the_new_route_stops_what_runs_and_what_waits(where: str) -> None:
    prompts = Prompts()
    setattr(prompts, where, ["mine", "theirs"])
    async with serving(prompts, is_new=True) as client:
        assert await halt(client, "mine", grace_s=5)
    assert prompts.asked.keys() == {"/cancel"}
    assert getattr(prompts, where) == ["theirs"]


@pytest.mark.parametrize(("where", "way"), [("running", "/interrupt"), ("pending", "/queue")])
async def test_without_it_each_is_stopped_in_its_own_way(where: str, way: str) -> None:
    prompts = Prompts()
    setattr(prompts, where, ["mine", "theirs"])
    async with serving(prompts, is_new=False) as client:
        assert await halt(client, "mine", grace_s=5)
        assert not client.abilities.cancels, "not asked for again in this process"
    assert prompts.asked == {way: 1}
    assert getattr(prompts, where) == ["theirs"]


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500, "text": "500 Internal Server Error"},
        {"status": 200, "text": '{"cancelled": false}'},
        {"status": 200, "text": "<html>"},
        {"status": 405},
    ],
)
async def test_a_route_that_does_nothing_is_not_relied_on(answer: dict[str, Any]) -> None:
    prompts = Prompts(running=["mine"], cancel=answer)
    async with serving(prompts, is_new=True) as client:
        assert await halt(client, "mine", grace_s=5)
    assert prompts.asked["/interrupt"] == 1


async def test_a_prompt_that_enters_the_queue_late_is_stopped_too() -> None:
    prompts = Prompts()

    class Late(Prompts):
        async def queue(self, _request: web.Request) -> web.Response:
            reply = await prompts.queue(_request)
            if not prompts.asked["/looked"]:
                prompts.pending.append("mine")
            prompts.asked["/looked"] += 1
            return reply

    async with serving(Late(), is_new=False) as client:
        await halt(client, "mine", grace_s=5)
    assert prompts.asked["/looked"] >= 2, "absent once is not gone"


async def test_a_comfyui_that_does_not_answer_has_stopped_nothing() -> None:
    async with connect(f"http://127.0.0.1:{free_port()}") as http:
        assert not await halt(ComfyClient(http), str(uuid4()), grace_s=0.3)


async def test_a_cancel_goes_by_the_new_route_of_an_engine_that_has_it(
    tmp_path: Path, front_door: FrontDoorDouble
) -> None:
    front_door.heartbeat_s = 0.05
    settings = WorkerSettings(
        state=tmp_path,
        probes=True,
        comfyui_args=("--cancel-route",),
        comfyui_start_timeout_s=30,
    )
    async with bench(tmp_path, settings) as engine:
        job, pid = front_door.submit(steps(100, 0.1)), engine.pid
        job.cancel = True
        await engine.run(front_door, job)
        assert job.terminal == Canceled()
        client = (await engine.comfy.ensure(None)).client
        await eventually(lambda: client.abilities.cancels)
        assert await client.cancel(str(uuid4())) is False
        after = front_door.submit(image(2))
        await engine.run(front_door, after)
        assert isinstance(after.terminal, Succeeded)
        assert engine.pid == pid
