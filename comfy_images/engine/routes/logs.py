"""/internal/logs: the last lines of the log. Without a twin under /api, as in ComfyUI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from comfy_images.engine.server import Engine

_TERMINAL = {"cols": 80, "rows": 24}


@dataclass(frozen=True, slots=True)
class LogRoutes:
    engine: Engine

    async def text(self, _request: web.Request) -> web.Response:
        lines = (f"{entry['t']} - {entry['m']}" for entry in self.engine.logs.entries())
        return web.json_response("".join(lines))

    async def raw(self, _request: web.Request) -> web.Response:
        return web.json_response({"entries": self.engine.logs.entries(), "size": _TERMINAL})


def routes(engine: Engine) -> list[web.RouteDef]:
    handlers = LogRoutes(engine)
    return [
        web.get("/internal/logs", handlers.text),
        web.get("/internal/logs/raw", handlers.raw),
    ]
