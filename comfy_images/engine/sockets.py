"""The connected WebSockets and what each of them is sent, in order (sheet §2)."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiohttp import web

    from comfy_images.engine.node_type import JsonObject

_PREVIEWS_BEHIND = 64  # frames waiting for a slow reader beyond which its previews are dropped


@dataclass(frozen=True, slots=True)
class Preview:
    """One encoded preview frame, for the sockets that negotiated metadata or for the others."""

    frame: bytes
    with_metadata: bool


Frame = str | bytes | Preview


@dataclass(slots=True)
class Socket:
    """One connection. Its own outbox, so that a reader that stopped blocks nobody else."""

    response: web.WebSocketResponse
    wants_metadata: bool = False
    outbox: asyncio.Queue[Frame] = field(default_factory=asyncio.Queue[Frame])

    def offer(self, frame: Frame) -> None:
        if isinstance(frame, Preview) and (
            frame.with_metadata != self.wants_metadata or self.outbox.qsize() > _PREVIEWS_BEHIND
        ):
            return
        self.outbox.put_nowait(frame)

    async def pump(self) -> None:
        """Send what is offered until the connection is gone."""
        with suppress(ConnectionError):
            while True:
                frame = await self.outbox.get()
                match frame:
                    case Preview():
                        await self.response.send_bytes(frame.frame)
                    case bytes():
                        await self.response.send_bytes(frame)
                    case str():
                        await self.response.send_str(frame)


class SocketHub:
    """Sends events from any thread to one client, or to all. Lives on one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._sockets: dict[str, Socket] = {}
        self.last_node_id: str | None = None  # what the worker executes, told to who reconnects

    def hears(self, client_id: str | None) -> bool:
        """Whether anybody gets what is for `client_id`: do not write large events for nobody."""
        return bool(self._sockets) if client_id is None else client_id in self._sockets

    def attach(self, client_id: str, socket: Socket) -> None:
        self._sockets[client_id] = socket

    def detach(self, client_id: str, socket: Socket) -> None:
        """Forget a closed socket, unless a newer one took its id: ComfyUI makes that one deaf."""
        if self._sockets.get(client_id) is socket:
            del self._sockets[client_id]

    def publish(self, kind: str, data: JsonObject, client_id: str | None) -> None:
        """Send a JSON event to `client_id`, or to everybody if that is None. Thread-safe."""
        if self.hears(client_id):
            self.send(event_text(kind, data), client_id)

    def send(self, frame: Frame, client_id: str | None) -> None:
        """Send a frame that is written already. Thread-safe."""
        with suppress(RuntimeError):  # the loop closed while the worker thread was still running
            self._loop.call_soon_threadsafe(self._deliver, frame, client_id)

    def _deliver(self, frame: Frame, client_id: str | None) -> None:
        if client_id is None:
            for socket in self._sockets.values():
                socket.offer(frame)
        elif (socket := self._sockets.get(client_id)) is not None:
            socket.offer(frame)


def event_text(kind: str, data: Any) -> str:
    return json.dumps({"type": kind, "data": data})
