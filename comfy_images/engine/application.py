"""The HTTP application: most routes as `/x` and as `/api/x`, and what holds for all of them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from comfy_images.engine import HOW_TO_CONNECT_COMFYUI
from comfy_images.engine.routes import (
    history,
    info,
    jobs,
    logs,
    models,
    prompt,
    queue,
    upload,
    view,
    websocket,
)
from comfy_images.engine.server import build_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from comfy_images.engine.options import Options
    from comfy_images.engine.server import Engine

_log = logging.getLogger("comfy_images.engine")
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


async def create_application(options: Options) -> web.Application:
    """Build the engine on the running loop. Its worker and folders live as long as the application."""
    engine = build_engine(options)
    application = web.Application(
        client_max_size=options.max_upload_bytes,
        middlewares=[refuse_foreign_origins, say_nothing_of_unknown_paths],
    )
    for module in (prompt, queue, history, view, upload, info, models, websocket):
        routes = module.routes(engine)
        application.add_routes(routes)
        application.add_routes(
            [web.route(r.method, f"/api{r.path}", r.handler, **r.kwargs) for r in routes]
        )
    for module in (jobs, logs):
        application.add_routes(module.routes(engine))
    application.cleanup_ctx.append(_running(engine))
    return application


def _running(engine: Engine) -> Callable[[web.Application], AsyncIterator[None]]:
    async def run(_application: web.Application) -> AsyncIterator[None]:
        engine.folders.prepare()
        engine.worker.start()
        logging.getLogger().addHandler(engine.logs)
        options = engine.options
        _log.info(HOW_TO_CONNECT_COMFYUI)
        _log.info("Serving %s on http://%s:%s", options.base_directory, options.host, options.port)
        yield
        logging.getLogger().removeHandler(engine.logs)
        engine.folders.wipe_temp()

    return run


@web.middleware
async def refuse_foreign_origins(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """403 if a browser page of another origin calls a loopback server (sheet §1)."""
    host = urlsplit(f"//{request.headers.get('Host', '')}")
    origin = urlsplit(request.headers.get("Origin", ""))
    foreign = (origin.hostname, origin.port) != (host.hostname, host.port)
    if origin.netloc and host.hostname in _LOOPBACK_HOSTS and foreign:
        return web.Response(status=403)
    return await handler(request)


@web.middleware
async def say_nothing_of_unknown_paths(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """404 without a body, by which clients tell a missing route from a missing job (sheet §1)."""
    try:
        return await handler(request)
    except web.HTTPNotFound:
        return web.Response(status=404, content_type="application/octet-stream")
