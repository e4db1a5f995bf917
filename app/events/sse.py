"""Server-sent events as the official clients can read them: ASCII JSON, comments as keep-alive.

httpx splits lines at raw U+2028, U+2029 and U+0085 and would destroy a frame that holds one, so
`data` is written with escapes (facts/comfy-api-v2.md §4).
"""

import json
from typing import Any, Final

import orjson

from app.http import to_json

PING_S: Final = 10
"""Seconds between comments; the strictest client waits 30 s for a byte."""

Frame = bytes
"""One event as it goes over the wire, so that it is encoded once for all its readers."""


def frame(event: str, data: dict[str, Any], *, id: int | str | None = None) -> Frame:
    """One frame; `id` only where a reader can resume after it."""
    head = f"id: {id}\nevent: {event}\ndata: " if id is not None else f"event: {event}\ndata: "
    return b"%b%b\n\n" % (head.encode(), _ascii_json(data))


def _ascii_json(data: dict[str, Any]) -> bytes:
    # orjson knows UUIDs and datetimes, json knows how to escape: both, where it matters. Neither
    # writes a line break.
    encoded = to_json(data)
    if encoded.isascii():
        return encoded
    return json.dumps(orjson.loads(encoded), separators=(",", ":")).encode()
