"""/view: files out of the folders (sheet §1)."""

from __future__ import annotations

import io
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web
from PIL import Image

from comfy_images.engine.folders import ForbiddenPathError, inside

if TYPE_CHECKING:
    from comfy_images.engine.server import Engine

_ACTIVE_TYPES = frozenset(
    {"text/html", "text/javascript", "application/javascript", "text/css", "application/xhtml+xml"}
)
_PREVIEW_QUALITY = 90


@dataclass(frozen=True, slots=True)
class ViewRoute:
    engine: Engine

    async def view(self, request: web.Request) -> web.StreamResponse:
        """One file, with Range and HEAD; `preview=webp;90` or `channel=rgb` re-encode it."""
        found = self._find(request)
        if isinstance(found, web.Response):
            return found
        headers = {"Content-Disposition": f'filename="{found.name}"'}
        preview = request.query.get("preview")
        channel = request.query.get("channel", "rgba")
        if preview is not None:
            return _encoded_preview(found, preview, headers)
        if channel in {"rgb", "a"}:
            return _one_channel(found, channel, headers)
        # Never let a page that a node wrote run with the rights of this server's origin.
        kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
        headers["Content-Type"] = "application/octet-stream" if kind in _ACTIVE_TYPES else kind
        return web.FileResponse(found, headers=headers)

    def _find(self, request: web.Request) -> Path | web.Response:
        """The file, or the refusal: 400 for a bad name or type, 403 for an escaping subfolder."""
        name = request.query.get("filename", "")
        if not name:
            return web.Response(status=404)
        folder = self.engine.folders.of(request.query.get("type", "output"))
        if folder is None or name.startswith("/") or ".." in name:
            return web.Response(status=400)
        try:
            folder = inside(folder, request.query.get("subfolder", ""))
            path = inside(folder, Path(name).name)
        except ForbiddenPathError:
            return web.Response(status=403)
        return path if path.is_file() else web.Response(status=404)


def _encoded_preview(path: Path, preview: str, headers: dict[str, str]) -> web.Response:
    """`format;quality`; anything but jpeg is webp. What is no image raises: 500, as in ComfyUI."""
    wanted, _, quality = preview.partition(";")
    kind = "jpeg" if wanted == "jpeg" else "webp"
    buffer = io.BytesIO()
    with Image.open(path) as image:
        shown = image.convert("RGB") if kind == "jpeg" else image
        shown.save(buffer, kind, quality=int(quality) if quality.isdigit() else _PREVIEW_QUALITY)
    return web.Response(body=buffer.getvalue(), content_type=f"image/{kind}", headers=headers)


def _one_channel(path: Path, channel: str, headers: dict[str, str]) -> web.Response:
    """The colours without alpha, or the alpha alone, as PNG."""
    buffer = io.BytesIO()
    with Image.open(path) as image:
        if channel == "rgb":
            shown = image.convert("RGB")
        else:
            shown = Image.new("RGBA", image.size)
            shown.putalpha(image.convert("RGBA").getchannel("A"))
        shown.save(buffer, "PNG")
    return web.Response(body=buffer.getvalue(), content_type="image/png", headers=headers)


def routes(engine: Engine) -> list[web.RouteDef]:
    return [web.get("/view", ViewRoute(engine).view)]
