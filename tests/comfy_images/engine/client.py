"""A client of the engine: requests with their answers, and what a WebSocket shows of a run."""

import asyncio
import json
import struct
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

_PATIENCE_S = 20


@dataclass(frozen=True)
class Answer:
    """A response; `body` is its JSON, or its bytes if it is none."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass(frozen=True)
class EngineClient:
    """Talks HTTP and WebSocket to one engine."""

    session: aiohttp.ClientSession

    async def get(self, path: str, **kwargs: Any) -> Answer:
        return await self.send("GET", path, **kwargs)

    async def post(self, path: str, body: Any = None, **kwargs: Any) -> Answer:
        return await self.send("POST", path, json=body, **kwargs)

    async def send(self, method: str, path: str, **kwargs: Any) -> Answer:
        async with self.session.request(method, path, **kwargs) as response:
            content = await response.read()
            is_json = response.content_type == "application/json"
            return Answer(
                response.status,
                json.loads(content) if is_json and content else content,
                {name.title(): value for name, value in response.headers.items()},
            )

    async def submit(self, prompt: Any, **body: Any) -> str:
        """Post a prompt that must be accepted; its id."""
        answer = await self.post("/prompt", {"prompt": prompt, **body})
        assert answer.status == 200, answer.body
        prompt_id: str = answer.body["prompt_id"]
        return prompt_id

    async def finished(self, prompt_id: str) -> Any:
        """The history entry, as soon as there is one."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                entries = (await self.get(f"/history/{prompt_id}")).body
                if entries:
                    return entries[prompt_id]
                await asyncio.sleep(0.01)

    async def run(self, prompt: Any, **body: Any) -> Any:
        """Submit and wait; with a client_id unless the body says otherwise, as ours always does."""
        return await self.finished(await self.submit(prompt, **{"client_id": "test", **body}))

    async def running(self, prompt_id: str) -> None:
        """Wait until a prompt has left the queue for the worker."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                queue = (await self.get("/queue")).body
                if any(item[1] == prompt_id for item in queue["queue_running"]):
                    return
                await asyncio.sleep(0.01)

    async def interrupted(self, prompt_id: str) -> Any:
        """Interrupt a prompt; its history entry.

        Repeated: ComfyUI forgets one that arrives after it took the prompt and before it starts it.
        """
        async with asyncio.timeout(_PATIENCE_S):
            while not (entries := (await self.get(f"/history/{prompt_id}")).body):
                await self.post("/interrupt", {"prompt_id": prompt_id})
                await asyncio.sleep(0.05)
        return entries[prompt_id]

    async def idle(self) -> None:
        """Wait until nothing runs or waits."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                if not (await self.get("/prompt")).body["exec_info"]["queue_remaining"]:
                    return
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def watching(
        self, client_id: str | None = None, *, metadata: bool = False
    ) -> AsyncGenerator["Watcher"]:
        """A WebSocket; `metadata` negotiates preview frames with metadata."""
        client_id = client_id or uuid.uuid4().hex
        params = {"clientId": client_id}
        async with self.session.ws_connect("/ws", params=params, max_msg_size=0) as socket:
            watcher = Watcher(self, client_id, socket)
            if metadata:
                flags = {"supports_preview_metadata": True}
                await socket.send_json({"type": "feature_flags", "data": flags})
                await watcher.until(lambda frame: frame.kind == "feature_flags")
            else:
                await watcher.until(lambda frame: frame.kind == "status")
            yield watcher


@dataclass(frozen=True)
class Frame:
    """One frame: an event with its data, or a binary one (`kind` is its number) with its image."""

    kind: str | int
    data: Any
    image: bytes = b""


@dataclass(frozen=True)
class Watcher:
    """Collects the frames of one WebSocket."""

    client: EngineClient
    client_id: str
    socket: aiohttp.ClientWebSocketResponse
    frames: list[Frame] = field(default_factory=list[Frame])

    async def run(self, prompt: Any, **body: Any) -> list[Frame]:
        """Run a prompt of this client and return every frame seen so far, to the very last."""
        await self.client.submit(prompt, client_id=self.client_id, **body)
        await self.until(lambda frame: frame.kind == "executing" and not frame.data["node"])
        return self.frames

    async def until(self, is_last: Callable[[Frame], bool]) -> Frame:
        """Read frames until one is the wanted."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                message = await self.socket.receive()
                assert message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}, message
                frame = _decoded(message.data)
                self.frames.append(frame)
                if is_last(frame):
                    return frame

    async def silent(self, seconds: float = 0.15) -> bool:
        """Whether nothing arrives for a while."""
        try:
            await self.socket.receive(timeout=seconds)
        except TimeoutError:
            return True
        return False


def _decoded(data: str | bytes) -> Frame:
    if isinstance(data, str):
        message = json.loads(data)
        return Frame(message["type"], message["data"])
    event, second = struct.unpack(">II", data[:8])
    if event == 4:
        return Frame(4, json.loads(data[8 : 8 + second]), data[8 + second :])
    if event == 3:
        end = 8 + second
        return Frame(3, {"node_id": data[8:end].decode(), "text": data[end:].decode()})
    return Frame(event, {"image_type": second}, data[8:])
