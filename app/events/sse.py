"""Server-sent events as the official clients can read them: ASCII JSON, comments as keep-alive.

httpx splits lines at raw U+2028, U+2029 and U+0085 and would destroy a frame that holds one, so
`data` is written with escapes (facts/comfy-api-v2.md §4).
"""

import json
from collections.abc import AsyncGenerator
from typing import Any, Final

import orjson
from sse_starlette import EventSourceResponse

from app.http import to_json

PING_S: Final = 10
Frame = dict[str, str]

_HEADERS: Final = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def frame(event: str, data: dict[str, Any], *, id: int | str | None = None) -> Frame:
    """One frame; `id` only where a reader can resume after it."""
    made: Frame = {"event": event, "data": _ascii_json(data)}
    if id is not None:
        made["id"] = str(id)
    return made


def stream_response(frames: AsyncGenerator[Frame]) -> EventSourceResponse:
    """A stream with comments often enough for every client's idle limit (30 s at the least)."""
    return EventSourceResponse(frames, headers=_HEADERS, ping=PING_S, sep="\n")


def _ascii_json(data: dict[str, Any]) -> str:
    # orjson knows UUIDs and datetimes, json knows how to escape: both, where it matters.
    encoded = to_json(data)
    if encoded.isascii():
        return encoded.decode()
    return json.dumps(orjson.loads(encoded), separators=(",", ":"))
