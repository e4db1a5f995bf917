"""What a person sees who opens the address in a browser, until the web app is built."""

from typing import Final

from fastapi import APIRouter, Response

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
  <p>Programs use the official SDK with <code>COMFY_BASE_URL</code> set to this address and
  <code>COMFY_API_KEY</code> set to a key of <code>./dev keys create</code>.</p>
  <p><a href="docs">The API, described</a> · <a href="openapi.json">OpenAPI</a> ·
  <a href="readyz">what is ready here</a></p>
</main>
</html>
"""


@router.get("/")
@router.head("/")
async def welcome() -> Response:
    """One page, no script."""
    return Response(_PAGE, media_type="text/html", headers=_HEADERS)
