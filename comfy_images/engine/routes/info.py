"""/object_info, /system_stats and /features: what this server is and what it can run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from comfy_images.engine.object_info import describe
from comfy_images.engine.system_stats import system_stats

if TYPE_CHECKING:
    from comfy_images.engine.server import Engine


@dataclass(frozen=True, slots=True)
class InfoRoutes:
    engine: Engine

    async def object_info(self, _request: web.Request) -> web.Response:
        types = self.engine.registry.types
        return web.json_response({name: describe(node_type) for name, node_type in types.items()})

    async def object_info_of(self, request: web.Request) -> web.Response:
        """One class; `{}`, not 404, if there is none of that name."""
        name = request.match_info["class_type"]
        node_type = self.engine.registry.get(name)
        return web.json_response({} if node_type is None else {name: describe(node_type)})

    async def system_stats(self, _request: web.Request) -> web.Response:
        return web.json_response(system_stats(self.engine.options))

    async def features(self, _request: web.Request) -> web.Response:
        return web.json_response(self.engine.features())


def routes(engine: Engine) -> list[web.RouteDef]:
    handlers = InfoRoutes(engine)
    return [
        web.get("/object_info", handlers.object_info),
        web.get("/object_info/{class_type}", handlers.object_info_of),
        web.get("/system_stats", handlers.system_stats),
        web.get("/features", handlers.features),
    ]
