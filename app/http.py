"""Small HTTP pieces that routes of several slices share."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import orjson
from fastapi import Request, Response
from fastapi.responses import FileResponse
from starlette.datastructures import MutableHeaders

from app.errors import AppError
from storage.disposition import content_disposition
from storage.protocol import Delivery

_SINGLE_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_BROWSER_GUARD: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-site",
    "Cache-Control": "private, max-age=31536000, immutable",
}


def json_response(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A value as JSON; UUIDs and datetimes as their standard texts."""
    return Response(
        to_json(body), status_code=status, media_type="application/json", headers=headers
    )


def to_json(body: Any) -> bytes:
    """A value as v2 writes it: the schemas of its TypeScript SDK take times with Z alone."""
    return orjson.dumps(body, option=orjson.OPT_UTC_Z)


def page_response(name: str, items: list[Any], next_cursor: str | None) -> Response:
    """A page of a list; `next_cursor` is there only where another page is."""
    page: dict[str, Any] = {name: items}
    if next_cursor:
        page["next_cursor"] = next_cursor
    return json_response(page)


def parse_id(text: str) -> UUID | None:
    """An id of ours in its one canonical form; anything else names nothing."""
    try:
        value = UUID(text)
    except ValueError:
        return None
    return value if str(value) == text else None


def file_response(request: Request, path: Path, delivery: Delivery, etag: str) -> Response:
    """A stored file with Range, ETag and HEAD, named and typed by the server.

    Raises:
        AppError: 416 `range_not_satisfiable`, 404 `output_unavailable`.
    """
    if not path.is_file():
        raise AppError(404, "output_unavailable", "The bytes of this file are gone from storage.")
    headers = _file_headers(delivery, etag)
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    _check_range(request, path.stat().st_size)
    return FileResponse(path, media_type=delivery.content_type, headers=headers)


def head_response(delivery: Delivery, size_bytes: int, etag: str) -> Response:
    """What a download would say, of a file that lies elsewhere."""
    return Response(
        headers={
            **_file_headers(delivery, etag),
            "Content-Type": delivery.content_type,
            "Content-Length": str(size_bytes),
        }
    )


def _file_headers(delivery: Delivery, etag: str) -> dict[str, str]:
    return {
        **_BROWSER_GUARD,
        "ETag": etag,
        "Content-Disposition": content_disposition(delivery),
        "Accept-Ranges": "bytes",
    }


def _check_range(request: Request, size: int) -> None:
    # Starlette answers a bad range in plain text; a client of v2 wants the envelope.
    match = _SINGLE_RANGE.fullmatch(request.headers.get("range", ""))
    if not match:
        # Several ranges, or none that we can read: the whole file is a right answer (RFC 9110 §14.2).
        del MutableHeaders(scope=request.scope)["range"]
        return
    first, last = match.groups()
    unsatisfiable = (int(first) >= size) if first else (int(last or 0) == 0)
    if unsatisfiable or (first and last and int(last) < int(first)):
        raise AppError(
            416,
            "range_not_satisfiable",
            f"The file has {size} bytes.",
            headers={"Content-Range": f"bytes */{size}"},
        )
