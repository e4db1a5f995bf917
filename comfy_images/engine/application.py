"""The HTTP application: every route as `/x` and as `/api/x`, and what holds for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from aiohttp import web

from comfy_images.engine.routes import files, history, info, jobs, prompt, queue, websocket
from comfy_images.engine.server import build_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from comfy_images.engine.options import Options
    from comfy_images.engine.server import Engine

_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


async def create_application(options: Options) -> web.Application:
    """Build the engine on the running loop. Its worker and folders live as long as the application."""
    engine = build_engine(options)
    application = web.Application(
        client_max_size=options.max_upload_bytes, middlewares=[refuse_foreign_origins]
    )
    for module in (prompt, queue, history, files, info, websocket):
        routes = module.routes(engine)
        application.add_routes(routes)
        application.add_routes(
            [web.route(r.method, f"/api{r.path}", r.handler, **r.kwargs) for r in routes]
        )
    application.add_routes(jobs.routes(engine))
    application.cleanup_ctx.append(_running(engine))
    return application


def _running(engine: Engine) -> Callable[[web.Application], AsyncIterator[None]]:
    async def run(_application: web.Application) -> AsyncIterator[None]:
        engine.folders.prepare()
        engine.worker.start()
        yield
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
