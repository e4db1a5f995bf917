"""Waiting for a verdict that may never come, against a ComfyUI that knows of no prompt."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from gpu_functions.comfyui.client import ComfyClient, connect
from gpu_functions.comfyui.process import Running, free_port
from gpu_functions.comfyui.vigil import Patience, RunFailedError, Vigil
from gpu_functions.contract import FailureCode

PROMPT_ID = "p"


class Talker:
    """Its queue and history, as a test writes them."""

    def __init__(self) -> None:
        self.running: list[object] = []
        self.history: dict[str, object] = {}
        self.refreshed = 0
        self.busy_s = 0.0
        """So long it answers nothing; meanwhile the prompt ends."""

    async def queue(self, _request: web.Request) -> web.Response:
        if self.busy_s:
            await asyncio.sleep(self.busy_s)
            self.history = {PROMPT_ID: {"status": {}}}
        return web.json_response({"queue_running": self.running, "queue_pending": []})

    async def entry(self, _request: web.Request) -> web.Response:
        return web.json_response(self.history)

    async def refresh(self) -> None:
        """Count what the vigil asks of the socket."""
        self.refreshed += 1


@pytest.fixture
def talker() -> Talker:
    return Talker()


@pytest.fixture
async def vigil(talker: Talker, tmp_path: Path) -> AsyncGenerator[Vigil, None]:
    application = web.Application()
    application.add_routes(
        [web.get("/queue", talker.queue), web.get("/history/{id}", talker.entry)]
    )
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with connect(f"http://127.0.0.1:{runner.addresses[0][1]}") as http:
        running = Running("", ComfyClient(http), {}, tmp_path, asyncio.Event(), "")
        patience = Patience(lost_s=0.2, unreachable_s=0.2, silent_s=0.3)
        yield Vigil(running, PROMPT_ID, 1.0, talker.refresh, patience)
    await runner.cleanup()


async def failure(vigil: Vigil) -> RunFailedError:
    async with asyncio.timeout(5):
        with pytest.raises(RunFailedError) as raised:
            await vigil.entry()
    return raised.value


async def test_a_prompt_in_neither_queue_nor_history_is_lost(vigil: Vigil) -> None:
    assert (await failure(vigil)).code is FailureCode.COMFYUI_CRASHED


async def test_a_prompt_that_runs_in_silence_has_its_socket_renewed_and_then_stalled(
    vigil: Vigil, talker: Talker
) -> None:
    talker.running = [[0, PROMPT_ID, {}, {}, []]]
    error = await failure(vigil)
    assert error.code is FailureCode.STALLED
    assert error.spoiled
    assert talker.refreshed >= 1


async def test_history_is_asked_again_when_the_end_was_told_before_it_was_written(
    vigil: Vigil, talker: Talker
) -> None:
    talker.running = [[0, PROMPT_ID, {}, {}, []]]
    vigil.ended.set()
    waiting = asyncio.create_task(vigil.entry())
    await asyncio.sleep(0.1)
    talker.history = {PROMPT_ID: {"status": {}}}
    assert await waiting == {"status": {}}


async def test_a_prompt_that_ends_between_two_halves_of_a_look_is_not_lost(
    vigil: Vigil, talker: Talker
) -> None:
    """History is asked, then the queue: a chain of 400 nodes ended in between, after long silence."""
    talker.busy_s = 2 * vigil.patience.lost_s
    assert await vigil.entry() == {"status": {}}


async def test_a_foreign_comfyui_that_is_gone_is_unreachable_and_not_a_crash(vigil: Vigil) -> None:
    async with connect(f"http://127.0.0.1:{free_port()}") as http:
        vigil.running = replace(vigil.running, client=ComfyClient(http), folders=None)
        assert (await failure(vigil)).code is FailureCode.COMFYUI_UNREACHABLE


async def test_a_process_that_ended_is_a_crash_at_once(vigil: Vigil) -> None:
    vigil.stall_s = 60
    vigil.running.exited.set()
    async with asyncio.timeout(1):
        assert (await failure(vigil)).code is FailureCode.COMFYUI_CRASHED
