r"""JSON from outside, parsed once: what SQL, ComfyUI or a reader could choke on is refused here.

pydantic takes NaN, `1e999` and `\u0000`; jsonb raises on them, which would be a 500
(facts/security.md §3.1). Depth is bounded before anything recursive sees the value, and the number
of values before any of them is made: ten megabytes of `[],` are 600 MB of lists.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

import orjson
from fastapi import Request
from pydantic import BaseModel, ValidationError

from app.errors import AppError, invalid_request

M = TypeVar("M", bound=BaseModel)

MAX_DEPTH: Final = 64
BYTES_PER_VALUE: Final = 40
"""A body may hold one value for so many of the bytes it may have; real graphs need half of that."""
MIN_VALUES: Final = 10_000
_STRINGS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # "?: linear, closed or not


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The body, refused as soon as it is too long.

    Raises:
        AppError: 413 `payload_too_large`, 415 `unsupported_media_type`.
    """
    refuse_encoded(request)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > max_bytes:
        raise payload_too_large(max_bytes)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise payload_too_large(max_bytes)
        chunks.append(chunk)
    return b"".join(chunks)


def refuse_encoded(request: Request) -> None:
    """A compressed body could unpack to anything; raises AppError 415."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise AppError(415, "unsupported_media_type", "Send the body without Content-Encoding.")


def payload_too_large(max_bytes: int) -> AppError:
    """413 that says the limit."""
    return AppError(
        413,
        "payload_too_large",
        f"The body is larger than {max_bytes} bytes.",
        details={"max_bytes": max_bytes},
    )


def has_body(request: Request) -> bool:
    """Whether a body was sent, where one may be left out."""
    headers = request.headers
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def read_json_object(request: Request, max_bytes: int) -> dict[str, Any]:
    """The body as a JSON object that is safe to store.

    Raises:
        AppError: 413, 415 `unsupported_media_type`, 422 `invalid_json`.
    """
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise AppError(
            415,
            "unsupported_media_type",
            f"Send Content-Type: application/json, not {content_type[:80]!r}.",
        )
    return parse_json_object(
        await read_body(request, max_bytes), max(max_bytes // BYTES_PER_VALUE, MIN_VALUES)
    )


async def read_model(request: Request, model: type[M], max_bytes: int) -> M:
    """The body as a model.

    Raises:
        AppError: as `read_json_object`, and 422 `invalid_request` per field.
    """
    return validated(model, await read_json_object(request, max_bytes))


def validated(model: type[M], value: Any) -> M:
    """A parsed value as a model; raises AppError 422 `invalid_request`."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid_request(error.errors(include_url=False, include_input=False)) from error


def parse_json_object(body: bytes, max_values: int = MIN_VALUES) -> dict[str, Any]:
    """Parse strictly.

    Args:
        body: UTF-8
        max_values: objects, arrays, and what they hold

    Raises:
        AppError: 422 `invalid_json` that says what is wrong and where.
    """
    if _holds_more_than(max_values, body):
        raise _invalid(f"The body holds more than {max_values} values.")
    try:
        value: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _invalid(f"The body is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise _invalid("The body must be a JSON object.")
    _check(value, "", 1)
    return cast(dict[str, Any], value)


def _holds_more_than(values: int, body: bytes) -> bool:
    # Every value but the first of its container stands behind a comma.
    found = _separators(body)
    if found <= values:
        return False
    for count, string in enumerate(_STRINGS.finditer(body)):
        if count > 2 * values:  # names and values
            return True
        found -= _separators(string[0])
    return found > values


def _separators(text: bytes) -> int:
    return text.count(b",") + text.count(b"[") + text.count(b"{")


def _check(value: Any, path: str, depth: int) -> None:
    match value:
        case str() if "\x00" in value:
            raise _invalid(f"{path or 'body'}: NUL characters are not allowed.")
        case float() if not math.isfinite(value):
            raise _invalid(f"{path or 'body'}: numbers must be finite.")
        case dict() | list():
            if depth > MAX_DEPTH:
                raise _invalid(f"The body is nested deeper than {MAX_DEPTH} levels.")
            _check_children(cast(dict[str, Any] | list[Any], value), path, depth)
        case _:
            pass


def _check_children(value: dict[str, Any] | list[Any], path: str, depth: int) -> None:
    items: Any = value.items() if isinstance(value, Mapping) else enumerate(value)
    for key, child in items:
        if isinstance(key, str) and "\x00" in key:
            raise _invalid(f"{path or 'body'}: NUL characters are not allowed in names.")
        if isinstance(child, (str, float, int, dict, list)):
            _check(child, f"{path}.{key}" if path else str(key), depth + 1)


def _invalid(message: str) -> AppError:
    return AppError(422, "invalid_json", message)
