"""/ws: one client's view of what runs (sheet §2)."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from comfy_images.engine.sockets import Socket, event_text

if TYPE_CHECKING:
    from comfy_images.engine.server import Engine


@dataclass(frozen=True, slots=True)
class WebSocketRoute:
    engine: Engine

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection until it closes. Frames that it missed are gone."""
        response = web.WebSocketResponse()
        await response.prepare(request)
        client_id = request.query.get("clientId") or uuid.uuid4().hex
        socket = Socket(response)
        socket.offer(event_text("status", {"status": self.engine.exec_info(), "sid": client_id}))
        self._tell_what_runs(client_id, socket)
        self.engine.hub.attach(client_id, socket)
        pump = asyncio.create_task(socket.pump())
        try:
            await self._read(socket)
        finally:
            self.engine.hub.detach(client_id, socket)
            pump.cancel()
        return response

    def _tell_what_runs(self, client_id: str, socket: Socket) -> None:
        """Who reconnects during its prompt learns the node, without a prompt_id as in ComfyUI."""
        running, _ = self.engine.queue.snapshot()
        node_id = self.engine.hub.last_node_id
        if running and running[0].client_id == client_id and node_id is not None:
            socket.offer(event_text("executing", {"node": node_id}))

    async def _read(self, socket: Socket) -> None:
        """Heed feature flags in the first JSON object; everything later is ignored."""
        first = True
        async for message in socket.response:
            if message.type is not WSMsgType.TEXT or not first:
                continue
            first = False
            flags = _feature_flags(message.data)
            if flags is not None:
                socket.wants_metadata = bool(flags.get("supports_preview_metadata"))
                socket.offer(event_text("feature_flags", self.engine.features()))


def _feature_flags(text: str) -> dict[str, Any] | None:
    try:
        message: Any = json.loads(text)
    except ValueError:
        return None
    match message:
        case {"type": "feature_flags", "data": dict()}:
            return message["data"]
        case _:
            return None


def routes(engine: Engine) -> list[web.RouteDef]:
    return [web.get("/ws", WebSocketRoute(engine).connect)]
