"""What a person sees who opens the address in a browser, until the web app is built."""

import html
from collections.abc import Iterable
from typing import Final

from fastapi import APIRouter, Request, Response

from app.errors import AppError
from app.provided import provided
from app.workflows.environments.repository import Environment
from app.workflows.environments.service import EnvironmentService

router = APIRouter(include_in_schema=False)

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
    "Cache-Control": "no-cache",
}
_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Comfyburst</title>
<style>
  :root { color-scheme: light dark; --ink: #1b1a18; --paper: #f4f0e8; --mark: #c2410c; }
  @media (prefers-color-scheme: dark) { :root { --ink: #ece7dd; --paper: #171614; --mark: #fb923c; } }
  body { margin: 0; min-height: 100vh; background: var(--paper); color: var(--ink);
         font: 17px/1.55 system-ui, sans-serif; display: grid; align-content: center; }
  main { max-width: 38rem; padding: 3rem 2rem; margin: 0 auto; }
  h1 { font-size: 2.6rem; line-height: 1.05; letter-spacing: -.03em; margin: 0 0 1rem; }
  code { font: .88em ui-monospace, monospace; }
  pre { border-left: 3px solid var(--mark); padding: .2rem 0 .2rem 1rem; overflow-x: auto; }
  a { color: var(--mark); }
</style>
<main>
  <h1>Comfyburst is running.</h1>
  <p>This is the API: Comfy API v2, durable. The web app is not built yet, so pictures are made from
  a terminal. In the folder of the checkout:</p>
  <pre><code>./dev run comfy_images/catalog/poster.json \\
      -i 1.prompt='Hello, world' -o outputs</code></pre>
  <p>__WORKERS__</p>
  <p>Programs use the official SDK with <code>COMFY_BASE_URL</code> set to this address and
  <code>COMFY_API_KEY</code> set to a key of <code>./dev keys create</code>.</p>
  <p><a href="docs">The API, described</a> · <a href="openapi.json">OpenAPI</a> ·
  <a href="readyz">what is ready here</a></p>
</main>
</html>
"""


@router.get("/")
@router.head("/")
async def welcome(request: Request) -> Response:
    """One page, no script."""
    try:
        workers = who_works(await provided(request, EnvironmentService).all())
    except AppError:
        workers = "The database does not answer at the moment."
    page = _PAGE.replace("__WORKERS__", workers)
    return Response(page, media_type="text/html", headers=_HEADERS)


def who_works(environments: Iterable[Environment]) -> str:
    """Which ComfyUI does the work, as HTML: what a worker says of itself is a stranger's text."""
    said = [_worker(known) for known in environments]
    return " ".join(said) or "No worker has registered yet; jobs wait for one."


def _worker(known: Environment) -> str:
    name, version = html.escape(known.name), html.escape(known.comfyui_version)
    if known.is_engine:
        return (
            f"Work for <code>{name}</code> is done by the embedded engine, which is not ComfyUI: "
            "<code>./dev comfy</code> installs a real one."
        )
    return f"Work for <code>{name}</code> is done by ComfyUI {version}."
