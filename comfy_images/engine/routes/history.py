"""/history: finished prompts, until the process ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from comfy_images.engine.server import Engine


@dataclass(frozen=True, slots=True)
class HistoryRoutes:
    engine: Engine

    async def list(self, request: web.Request) -> web.Response:
        max_items = request.query.get("max_items")
        offset = int(request.query.get("offset", -1))
        limit = None if max_items is None else int(max_items)
        return web.json_response(self.engine.queue.history(limit, offset))

    async def get(self, request: web.Request) -> web.Response:
        """One entry by its id; `{}`, not 404, for what is unknown, pending or running."""
        prompt_id = request.match_info["prompt_id"]
        entry = self.engine.queue.history_of(prompt_id)
        return web.json_response({} if entry is None else {prompt_id: entry})

    async def post(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body.get("clear"):
            self.engine.queue.clear_history()
        for prompt_id in body.get("delete", ()):
            self.engine.queue.delete_history(prompt_id)
        return web.Response()


def routes(engine: Engine) -> list[web.RouteDef]:
    handlers = HistoryRoutes(engine)
    return [
        web.get("/history", handlers.list),
        web.get("/history/{prompt_id}", handlers.get),
        web.post("/history", handlers.post),
    ]
