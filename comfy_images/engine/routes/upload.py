"""/upload/image and /upload/mask: files into the folders (sheet §1)."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web
from PIL import Image

from comfy_images.engine.folders import ForbiddenPathError, inside
from comfy_images.engine.uploads import Upload, store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from comfy_images.engine.server import Engine


@dataclass(frozen=True, slots=True)
class UploadRoutes:
    engine: Engine

    async def image(self, request: web.Request) -> web.Response:
        """Store a file under the name that the answer gives, which may differ from the asked one."""
        form = await request.post()
        image = form.get("image")
        if not isinstance(image, web.FileField) or not image.filename:
            return web.Response(status=400)
        upload = _upload(image.filename, form)
        try:
            return web.json_response(store(upload, self._folder(upload.kind), image.file.read()))
        except ForbiddenPathError:
            return web.Response(status=400)

    async def mask(self, request: web.Request) -> web.Response:
        """Store the picture named by `original_ref` with the alpha of the uploaded one.

        Where the original is missing the answer is the same and nothing is stored, as in ComfyUI; no
        reference, or one of another size, raises and becomes 500.
        """
        form = await request.post()
        image = form.get("image")
        if not isinstance(image, web.FileField) or not image.filename:
            return web.Response(status=400)
        upload = _upload(image.filename, form)
        try:
            original = self._original(json.loads(str(form["original_ref"])))
            if original is None:
                answer = {"name": upload.name, "subfolder": upload.subfolder, "type": upload.kind}
                return web.json_response(answer)
            content = _with_alpha(original, image.file.read())
            return web.json_response(store(upload, self._folder(upload.kind), content))
        except ForbiddenPathError:
            return web.Response(status=400)

    def _folder(self, kind: str) -> Path:
        folder = self.engine.folders.of(kind)
        if folder is None:
            raise ValueError(f"{kind!r} is no folder type")  # 500, as in ComfyUI
        return folder

    def _original(self, reference: Mapping[str, str]) -> Path | None:
        root = self._folder(reference.get("type", "output"))
        path = inside(inside(root, reference.get("subfolder", "")), reference["filename"])
        return path if path.is_file() else None


def _upload(name: str, form: Mapping[str, object]) -> Upload:
    return Upload(
        name=name,
        subfolder=str(form.get("subfolder", "")),
        kind=str(form.get("type", "input")),
        overwrite=form.get("overwrite") in {"true", "1"},
    )


def _with_alpha(original: Path, mask: bytes) -> bytes:
    """The original as PNG, its alpha replaced.

    Raises:
        ValueError: The mask has another size.
    """
    with Image.open(original) as picture, Image.open(io.BytesIO(mask)) as masked:
        shown = picture.convert("RGBA")
        shown.putalpha(masked.convert("RGBA").getchannel("A"))
    buffer = io.BytesIO()
    shown.save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()


def routes(engine: Engine) -> list[web.RouteDef]:
    handlers = UploadRoutes(engine)
    return [
        web.post("/upload/image", handlers.image),
        web.post("/upload/mask", handlers.mask),
    ]
