"""`/docs` and `/openapi.json`: the contract for people and for programs, whole from our own origin.

Redoc comes as one file in the wheel `fastapi-offline`; nothing is fetched from anywhere else.
"""

import asyncio
import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fastapi import APIRouter, FastAPI, Request, Response

from app.errors import AppError, NotFoundError
from app.http import json_response
from app.identity.auth import caller_of
from app.jobs.executor_routes import router as executor_router
from app.openapi.document import public_document, text_of
from app.openapi.executors import internal_document
from app.openapi.tidy import Json
from app.openapi.workflow import workflow_document
from app.peer import is_local
from app.provided import provided
from app.workflows.registry.names import Reference
from app.workflows.registry.service import RegistryService

_STATIC: Final = Path(__file__).parent / "static"
_REVALIDATE: Final = "no-cache"
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_PAGE_GUARD: Final = {
    # Redoc writes its styles into the page and searches in a worker that it makes itself.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "worker-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_LOGO_ELSEWHERE: Final = b"https://cdn.redoc.ly/redoc/logo-mini.svg"
_NO_LOGO: Final = b"data:,"  # Redoc hides an image that does not load


@dataclass(frozen=True, slots=True)
class File:
    """Bytes that never change while we run, compressed once."""

    body: bytes
    compressed: bytes
    media_type: str
    digest: str

    @classmethod
    def of(cls, body: bytes, media_type: str) -> "File":
        """Compress and name it."""
        digest = hashlib.sha256(body).hexdigest()[:16]
        return cls(body, gzip.compress(body, 9, mtime=0), media_type, digest)

    def response(self, request: Request, caching: str) -> Response:
        """The answer to a GET or HEAD, as small as the caller takes it; 304 where it has it."""
        packed = _takes_gzip(request)
        etag = f'"{self.digest}{"-gzip" if packed else ""}"'
        headers = {
            **_PAGE_GUARD,
            "Cache-Control": caching,
            "ETag": etag,
            "Vary": "Accept-Encoding",
        }
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        if packed:
            headers["Content-Encoding"] = "gzip"
        body = self.compressed if packed else self.body
        return Response(body, media_type=self.media_type, headers=headers)


def install_docs(app: FastAPI) -> None:
    """Serve the contract of the application's routes, made when somebody asks for the first time."""

    @cache
    def document() -> Json:
        return public_document(app.routes)

    @cache
    def contract() -> File:
        return File.of(text_of(document()).encode(), "application/json")

    router = APIRouter(include_in_schema=False)

    @router.api_route("/openapi.json", methods=["GET", "HEAD"])
    async def openapi_json(request: Request, workflow: str | None = None) -> Response:
        if workflow is not None:
            return await _of_workflow(request, await asyncio.to_thread(document), workflow)
        return (await asyncio.to_thread(contract)).response(request, _REVALIDATE)

    app.openapi = document
    app.include_router(router)
    app.include_router(_pages)


_pages = APIRouter(include_in_schema=False)


@_pages.api_route("/docs", methods=["GET", "HEAD"])
async def docs(request: Request) -> Response:
    """The page; the files it names carry their own hash."""
    return (await asyncio.to_thread(_page)).response(request, _REVALIDATE)


@_pages.api_route("/docs/{name}", methods=["GET", "HEAD"])
async def docs_file(request: Request, name: str) -> Response:
    """A script or style of the page."""
    file = (await asyncio.to_thread(_files)).get(name)
    if file is None:
        raise AppError(404, "not_found", "There is nothing at this address.")
    return file.response(request, _FOR_EVER)


@_pages.api_route("/internal/openapi.json", methods=["GET", "HEAD"])
async def internal_openapi_json(request: Request) -> Response:
    """What executors speak, for who sits at this machine."""
    if not is_local(request):
        raise AppError(404, "not_found", "There is nothing at this address.")
    return (await asyncio.to_thread(_internal_contract)).response(request, _REVALIDATE)


async def _of_workflow(request: Request, public: Json, text: str) -> Response:
    """The contract of one workflow, for whoever may run it."""
    caller = await caller_of(request, "jobs:read")
    reference = Reference.parse(text)
    if reference is None:
        raise NotFoundError("workflow")
    found = await provided(request, RegistryService).version(caller.workspace_id, reference)
    return json_response(workflow_document(public, found))


@cache
def _internal_contract() -> File:
    return File.of(text_of(internal_document(executor_router.routes)).encode(), "application/json")


@cache
def _files() -> dict[str, File]:
    """By the name under which the page asks for them."""
    return {f"{stem}-{file.digest}{suffix}": file for (stem, suffix), file in _parts().items()}


@cache
def _page() -> File:
    text = (_STATIC / "docs.html").read_text(encoding="utf-8")
    for (stem, suffix), file in _parts().items():
        text = text.replace(f"{stem}{suffix}", f"docs/{stem}-{file.digest}{suffix}")
    return File.of(text.encode(), "text/html")


@cache
def _parts() -> dict[tuple[str, str], File]:
    redoc = _redoc().replace(_LOGO_ELSEWHERE, _NO_LOGO)
    script, style = "text/javascript", "text/css"
    return {
        ("redoc", ".js"): File.of(redoc, script),
        ("page", ".js"): File.of((_STATIC / "page.js").read_bytes(), script),
        ("page", ".css"): File.of((_STATIC / "page.css").read_bytes(), style),
    }


def _redoc() -> bytes:
    # Its module is not imported: that would load Swagger's pages as well.
    spec = find_spec("fastapi_offline")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "static" / "redoc.standalone.js").read_bytes()


def _takes_gzip(request: Request) -> bool:
    offers = request.headers.get("accept-encoding", "").split(",")
    names = {
        offer.partition(";")[0].strip() for offer in offers if "q=0" not in offer.split(";")[1:]
    }
    return "gzip" in names
