"""The socket beside a run, against a socket server that misbehaves on demand."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextvars import ContextVar
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from gpu_functions.comfyui.client import ComfyUnreachableError
from gpu_functions.comfyui.frames import Alive, Ended, Frame, NodeOutput
from gpu_functions.comfyui.process import free_port
from gpu_functions.comfyui.watch import Watch
from tests.doubles.front_door import eventually


@dataclass
class Sockets:
    """`/ws` of a ComfyUI: every connection, in order, and how many were open at once."""

    url: str = ""
    opened: list[web.WebSocketResponse] = field(default_factory=list[web.WebSocketResponse])
    first_words: list[object] = field(default_factory=list[object])
    client_ids: list[str] = field(default_factory=list[str])
    open_now: int = 0
    most_open: int = 0

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.client_ids.append(request.query["clientId"])
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        self.opened.append(socket)
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self.first_words.append(json.loads(message.data))
        self.open_now -= 1
        return socket

    async def say(self, event: str, **data: object) -> None:
        """Send a frame on the newest connection."""
        frame = {"type": event, "data": {"prompt_id": "p", **data}}
        await self.opened[-1].send_str(json.dumps(frame))


def ignore(_: Frame) -> None:
    """A run that does not care."""


@pytest.fixture
async def sockets() -> AsyncGenerator[Sockets, None]:
    sockets = Sockets()
    application = web.Application()
    application.add_routes([web.get("/ws", sockets.handle)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sockets.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield sockets
    await runner.cleanup()


@pytest.fixture
async def said(sockets: Sockets) -> AsyncGenerator[list[Frame], None]:
    """What an open watch has heard."""
    said: list[Frame] = []
    watch = Watch()
    await watch.follow(sockets.url, "p", said.append)
    await eventually(lambda: bool(sockets.first_words))
    yield said
    await watch.close()


async def test_flags_are_the_first_words(sockets: Sockets, said: list[Frame]) -> None:
    assert sockets.first_words == [
        {"type": "feature_flags", "data": {"supports_preview_metadata": True}}
    ]
    assert not said


async def test_a_cut_socket_is_opened_again_under_the_same_id(
    sockets: Sockets, said: list[Frame]
) -> None:
    for number in range(2):
        await sockets.opened[-1].close()
        await eventually(lambda: len(sockets.first_words) == number + 2)  # noqa: B023
    await sockets.say("executing", node=None)
    await eventually(lambda: said == [Ended()])
    assert len(sockets.client_ids) == 3
    assert len(set(sockets.client_ids)) == 1
    assert len(sockets.first_words) == 3, "flags are lost on a reconnect"


async def test_the_old_socket_is_closed_before_a_new_one_takes_its_id(sockets: Sockets) -> None:
    watch = Watch()
    await watch.follow(sockets.url, "p", ignore)
    await eventually(lambda: len(sockets.opened) == 1)
    await watch.refresh()
    await eventually(lambda: len(sockets.opened) == 2)
    await watch.close()
    assert sockets.most_open == 1
    assert len(set(sockets.client_ids)) == 1


async def heard(sockets: Sockets, watch: Watch, prompt_id: str) -> list[Frame]:
    """What a run hears that ends at once."""
    said: list[Frame] = []
    await watch.follow(sockets.url, prompt_id, said.append)
    await eventually(lambda: bool(sockets.opened))
    await sockets.say("executing", node=None)
    await sockets.say("executing", node=None, prompt_id=prompt_id)
    await eventually(lambda: bool(said))
    await watch.leave()
    return said


async def test_one_socket_serves_run_after_run_and_each_hears_of_its_prompt_alone(
    sockets: Sockets,
) -> None:
    watch = Watch()
    for number in range(3):
        assert await heard(sockets, watch, f"prompt-{number}") == [Ended()]
    assert len(sockets.opened) == 1
    await watch.close()
    await eventually(lambda: sockets.open_now == 0)


async def test_between_runs_nothing_is_heard_and_a_cut_is_mended_by_the_next_run_alone(
    sockets: Sockets,
) -> None:
    watch = Watch()
    said = await heard(sockets, watch, "one")
    await sockets.say("executing", node=None, prompt_id="one")
    await sockets.opened[-1].close()
    await eventually(lambda: sockets.open_now == 0)
    await asyncio.sleep(0.4)
    assert len(sockets.opened) == 1, "nobody listens: nobody connects"
    await watch.follow(sockets.url, "two", ignore)
    await eventually(lambda: len(sockets.opened) == 2)
    assert said == [Ended()]
    await watch.close()


async def test_a_socket_that_said_nothing_to_a_run_is_not_used_again(sockets: Sockets) -> None:
    watch = Watch()
    for number in range(2):
        await watch.follow(sockets.url, "p", ignore)
        await eventually(lambda: len(sockets.opened) == number + 1)  # noqa: B023
        await watch.leave()
    assert sockets.most_open == 1
    assert len(set(sockets.client_ids)) == 2, "its old id may not be forgotten yet"
    await watch.close()


async def test_a_socket_that_lay_idle_for_long_is_not_trusted(sockets: Sockets) -> None:
    watch = Watch(fresh_s=-1)
    for number in range(2):
        await heard(sockets, watch, f"prompt-{number}")
        assert len(sockets.opened) == number + 1
    await watch.close()


async def test_another_process_gets_another_socket(sockets: Sockets) -> None:
    watch = Watch()
    await heard(sockets, watch, "one")
    with pytest.raises(ComfyUnreachableError):
        await watch.follow(f"http://127.0.0.1:{free_port()}", "two", ignore)
    await eventually(lambda: sockets.open_now == 0)
    await watch.close()


async def test_what_a_frame_sets_off_belongs_to_the_run_that_listens(sockets: Sockets) -> None:
    watch, mine = Watch(), ContextVar("mine", default="nobody's")
    said: list[str] = []
    for run in ("one", "two"):
        mine.set(run)
        await watch.follow(sockets.url, "p", lambda _: said.append(mine.get()))
        await eventually(lambda: bool(sockets.opened))
        await sockets.say("executing", node=None)
        await eventually(lambda: said[-1:] == [run])  # noqa: B023
        await watch.leave()
    await watch.close()


async def test_a_frame_of_nine_megabytes_is_read(sockets: Sockets, said: list[Frame]) -> None:
    text = "x" * 9_000_000
    await sockets.say("executed", node="1", output={"text": [text]})
    await eventually(lambda: bool(said))
    assert said == [NodeOutput("1", {"text": [text]})]


async def test_a_flood_does_not_slow_the_server(sockets: Sockets, said: list[Frame]) -> None:
    async with asyncio.timeout(10):
        for _ in range(2_000):
            await sockets.say("progress_state", nodes={"1": {"value": 1}})
        await eventually(lambda: len(said) == 2_000)
    assert set(map(type, said)) == {Alive}


async def test_no_socket_at_the_start_is_an_unreachable_comfyui() -> None:
    watch = Watch()
    with pytest.raises(ComfyUnreachableError):
        await watch.follow(f"http://127.0.0.1:{free_port()}", "p", ignore)
    await watch.close()
