"""/queue, /interrupt and /free: what waits, what runs, and how to stop it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from comfy_images.engine.server import Engine


@dataclass(frozen=True, slots=True)
class QueueRoutes:
    engine: Engine

    async def get(self, _request: web.Request) -> web.Response:
        running, pending = self.engine.queue.snapshot()
        return web.json_response(
            {
                "queue_running": [item.as_json() for item in running],
                "queue_pending": [item.as_json() for item in pending],
            }
        )

    async def post(self, request: web.Request) -> web.Response:
        """Clear the queue or delete from it. Always 200, whether or not there was anything."""
        body = await request.json()
        if body.get("clear"):
            self.engine.queue.clear()
        for prompt_id in body.get("delete", ()):
            self.engine.queue.delete(prompt_id)
        return web.Response()

    async def interrupt(self, request: web.Request) -> web.Response:
        """Stop what runs, or a given prompt if that is what runs; a pending one is left alone."""
        body: Any = await request.json() if request.can_read_body else {}
        wanted = body.get("prompt_id")
        running, _ = self.engine.queue.snapshot()
        for item in running:
            if not wanted or wanted == item.prompt_id:
                self.engine.interrupt.aim(item.prompt_id)
        return web.Response()

    async def free(self, request: web.Request) -> web.Response:
        """`free_memory` drops the node cache between prompts; there are no models to unload."""
        body = await request.json()
        if body.get("free_memory", False):
            self.engine.worker.forget_results()
        return web.Response()


def routes(engine: Engine) -> list[web.RouteDef]:
    handlers = QueueRoutes(engine)
    return [
        web.get("/queue", handlers.get),
        web.post("/queue", handlers.post),
        web.post("/interrupt", handlers.interrupt),
        web.post("/free", handlers.free),
    ]
