"""Parameters, headers and bodies that routes read or write by hand, and so cannot declare."""

from collections.abc import Mapping
from typing import Any, Final

LABELS: Final[Mapping[str, Any]] = {
    "name": "metadata",
    "in": "query",
    "required": False,
    "style": "deepObject",
    "explode": True,
    "description": "`metadata[key]=value`, as often as you like: jobs with all of these labels.",
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    "example": {"campaign": "7"},
}
RANGE: Final[Mapping[str, Any]] = {
    "name": "Range",
    "in": "header",
    "required": False,
    "description": "One range of bytes (RFC 9110): `bytes=0-1048575`, `bytes=100-` or `bytes=-100`.",
    "schema": {"type": "string"},
    "example": "bytes=0-3",
}
IF_NONE_MATCH: Final[Mapping[str, Any]] = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of a copy you have: 304 while it is the same.",
    "schema": {"type": "string"},
}

IDEMPOTENCY_KEY: Final[Mapping[str, Any]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent by v2's clients, and not needed: a repeated upload makes nothing new.",
    "schema": {"type": "string"},
}

# In the order in which the official clients send the parts.
UPLOAD: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["content_type", "file_path", "file"],
    "properties": {
        "content_type": {
            "type": "string",
            "description": "Taken for v2's sake; the server decides by the name.",
            "examples": ["image/png"],
        },
        "file_path": {
            "type": "string",
            "minLength": 1,
            "maxLength": 1_000,
            "description": "What to call it: a relative path.",
            "examples": ["photo.png"],
        },
        "expected_hash": {
            "type": "string",
            "pattern": "^[bB][lL][aA][kK][eE]3:[0-9a-fA-F]{64}$",
            "description": "`blake3:<hex>`, compared with what arrived.",
            "examples": ["blake3:3601b905f872015b8c9d3aecc39abf8c23645b95089e83c7e436d80fa9340f5a"],
        },
        "tags": {
            "type": "array",
            "items": {"type": "string"},
            "description": "One part each.",
            "examples": [["input"]],
        },
        "expires_in": {
            "type": "integer",
            "minimum": 60,
            "maximum": 604_800,
            "description": "Seconds to keep the record. Default: until it is deleted, or what the "
            "operator set.",
            "examples": [86_400],
        },
        "file": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": "The bytes; the last part.",
        },
    },
}

PUSH_FORM: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["name", "file"],
    "properties": {
        "name": {
            "type": "string",
            "pattern": "^[a-z0-9][a-z0-9_-]{0,63}$",
            "description": "1 to 64 small letters, digits, `-` and `_`.",
            "examples": ["poster"],
        },
        "environment": {
            "type": "string",
            "minLength": 1,
            "maxLength": 63,
            "default": "local",
            "description": "Which ComfyUI runs it, by name.",
        },
        "notes": {
            "type": "string",
            "maxLength": 2_000,
            "description": "What this version is about, for people.",
        },
        "bindings": {
            "type": "string",
            "contentMediaType": "application/json",
            "description": "What it takes and gives. Default: proposed from the workflow itself.",
        },
        "file": {
            "type": "string",
            "contentMediaType": "application/octet-stream",
            "description": "Any file that carries a workflow: JSON of either format, or a picture or "
            "video that ComfyUI saved.",
        },
    },
}

HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "X-Comfy-Request-Id": {
        "description": "Leads to the log lines of this request.",
        "schema": {"type": "string"},
        "example": "e02d0b6279551244",
    },
    "Idempotent-Replayed": {
        "description": "The job is that of an earlier request with this key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Preference-Applied": {
        "description": "How long the answer may have been held.",
        "schema": {"type": "string"},
        "example": "wait=20",
    },
    "Retry-After": {
        "description": "Seconds to wait before the next attempt.",
        "schema": {"type": "integer"},
        "example": 2,
    },
    "WWW-Authenticate": {
        "description": "How to authenticate.",
        "schema": {"type": "string"},
        "example": "Bearer",
    },
    "Allow": {
        "description": "A method of this address.",
        "schema": {"type": "string"},
        "example": "GET",
    },
    "ETag": {
        "description": "Names these bytes; they never change.",
        "schema": {"type": "string"},
        "example": '"blake3:3601b905f872015b8c9d3aecc39abf8c23645b95089e83c7e436d80fa9340f5a"',
    },
    "Accept-Ranges": {
        "description": "Ranges are answered.",
        "schema": {"type": "string"},
        "example": "bytes",
    },
    "Content-Disposition": {
        "description": "Shown or saved, and under which name.",
        "schema": {"type": "string"},
        "example": "inline; filename=\"photo.png\"; filename*=UTF-8''photo.png",
    },
    "Content-Range": {
        "description": "Which bytes of how many.",
        "schema": {"type": "string"},
        "example": "bytes 0-3/15",
    },
    "Content-Length": {
        "description": "Bytes of the file.",
        "schema": {"type": "integer"},
        "example": 15,
    },
    "Location": {
        "description": "A signed URL; fetch it without the key.",
        "schema": {"type": "string", "format": "uri"},
    },
}
