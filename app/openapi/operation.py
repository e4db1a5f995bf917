"""What stands beside a route: its codes, answers and bodies; and which codes many operations share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from app.openapi.events import Events

Examples = tuple[str, ...]
"""By the names of `examples.py`."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is no error."""

    examples: Examples = ()
    headers: tuple[str, ...] = ()
    description: str = ""
    """Of an answer that the route itself does not declare."""
    media_type: str = "application/json"
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """What stands beside a route."""

    codes: tuple[str, ...]
    replies: Mapping[int, Reply]
    body: type[BaseModel] | None = None
    body_examples: Examples = ()
    is_body_optional: bool = False
    events: Events | None = None
    parameters: tuple[Mapping[str, Any], ...] = ()
    multipart: Mapping[str, Any] | None = None
    other_body: tuple[str, Mapping[str, Any], str] | None = None
    """A second media type that is taken: its name, schema, and example."""
    is_open: bool = False
    """Whether it needs no key."""
    has_body: bool = True
    """False of HEAD: its errors are a status alone."""


ANY: Final = (
    "400 bad_host",
    "400 invalid_http",
    "431 headers_too_large",
    "500 upstream_error",
    "503 upstream_error",
)
READ: Final = (*ANY, "401 unauthorized", "403 forbidden", "503 upstream_unreachable")
WRITE: Final = (*READ, "403 foreign_origin")
BODY: Final = (
    "408 request_timeout",
    "413 payload_too_large",
    "415 unsupported_media_type",
    "422 invalid_request",
)
JSON: Final = (*BODY, "422 invalid_json")
