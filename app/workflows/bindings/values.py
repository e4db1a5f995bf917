"""Whether a value is one that an input takes; nothing is turned into something else in silence. Pure.

| type | taken |
|---|---|
| text | a string of at most `MAX_TEXT_LENGTH` characters, without NUL |
| integer, seed | an integer; 4.0 is 4, as in JSON Schema; "4" and true are not |
| number | a finite number; true is not |
| boolean | true or false; 1 is not |
| choice | one of the choices, of the same type |
| file | an asset id, the `file_path` of an upload, or the handle that the SDKs send |
"""

import math
from collections.abc import Mapping
from typing import Any, Final, assert_never, cast
from uuid import UUID

from app.workflows.bindings.models import InputBinding, Value
from app.workflows.files import ASSET_TYPE, handle_id, is_handle
from app.workflows.sanitise import path_problem

MAX_TEXT_LENGTH: Final = 100_000
"""Characters of a text; a prompt has some hundred."""
MAX_FILE_LENGTH: Final = 1_024
"""Characters of the name of a file."""
LEAST_INTEGER: Final = -(2**63)
MOST_INTEGER: Final = 2**64 - 1
"""What JSON of 64 bits carries, and ComfyUI's largest seed."""
_WORDS: Final[tuple[tuple[type, str], ...]] = (
    (type(None), "null: leave the input out"),
    (bool, "true or false"),
    (str, "a text"),
    (int, "a number"),
    (float, "a number"),
    (dict, "an object"),
    (list, "a list"),
)
MAX_SHOWN: Final = 20
"""Choices named in a message."""


class RefusedValueError(Exception):
    """A value that an input does not take; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def taken(binding: InputBinding, value: Any) -> Value:
    """The value as it is put into the graph.

    Raises:
        RefusedValueError: `wrong_type`, `too_small`, `too_large`, `too_long`, `not_a_choice`, `invalid_text`,
            `invalid_file`, `path_not_allowed`, `url_not_taken`.
    """
    match binding.type:
        case "text":
            return _text(value)
        case "integer" | "seed":
            return _within(binding, _integer(value, binding.type))
        case "number":
            return _within(binding, _number(value))
        case "boolean":
            if not isinstance(value, bool):
                raise _wrong_type("true or false", value)
            return value
        case "choice":
            return _choice(binding, value)
        case "file":
            return _file(value)
        case _:
            assert_never(binding.type)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong_type("a text", value)
    if problem := text_problem(value):
        raise problem
    return value


def text_problem(value: str) -> RefusedValueError | None:
    """Why a string is no text that an input takes, or None."""
    if len(value) > MAX_TEXT_LENGTH:
        message = f"Has {len(value)} characters; at most {MAX_TEXT_LENGTH} are taken."
        return RefusedValueError("too_long", message)
    if "\x00" in value or not _is_unicode(value):
        message = "NUL and halves of surrogate pairs are no text."
        return RefusedValueError("invalid_text", message)
    return None


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _integer(value: Any, kind: str) -> int:
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong_type('an integer or "random"' if kind == "seed" else "an integer", value)
    return value


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong_type("a number", value)
    if isinstance(value, float) and not math.isfinite(value):
        raise RefusedValueError("wrong_type", "Must be a finite number.")
    return value


def _within(binding: InputBinding, value: int | float) -> int | float:
    low, high = binding.minimum, binding.maximum
    if isinstance(value, int):
        low = LEAST_INTEGER if low is None else low
        high = MOST_INTEGER if high is None else high
    if low is not None and value < low:
        raise RefusedValueError("too_small", f"Is below the minimum of {low}.")
    if high is not None and value > high:
        raise RefusedValueError("too_large", f"Is above the maximum of {high}.")
    return value


def _choice(binding: InputBinding, value: Any) -> Value:
    for choice in binding.choices or ():
        if type(choice) is type(value) and choice == value:
            return choice
    shown = ", ".join(map(str, (binding.choices or ())[:MAX_SHOWN]))
    more = ", …" if len(binding.choices or ()) > MAX_SHOWN else ""
    raise RefusedValueError("not_a_choice", f"Must be one of: {shown}{more}.")


def _file(value: Any) -> Value:
    if is_handle(value):
        handle = cast(Mapping[str, Any], value)
        return _handle(handle_id(handle))
    if not isinstance(value, str):
        raise _wrong_type("an asset id, the file_path of an upload, or an asset handle", value)
    if _is_uuid(value):
        return _handle(value)
    if not value or len(value) > MAX_FILE_LENGTH or "\x00" in value or not _is_unicode(value):
        message = f"Must name a file in 1 to {MAX_FILE_LENGTH} characters."
        raise RefusedValueError("invalid_file", message)
    if "://" in value:
        message = "URLs are not taken: upload the file, and give the id of the asset."
        raise RefusedValueError("url_not_taken", message)
    if problem := path_problem(value):
        raise RefusedValueError("path_not_allowed", problem)
    return value


def _handle(asset_id: str) -> dict[str, Any]:
    if not _is_uuid(asset_id):
        raise RefusedValueError("invalid_file", "The handle has no asset id in `info.id`.")
    return {"__type": ASSET_TYPE, "info": {"id": str(UUID(asset_id))}}


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    # Python also reads braces and "urn:uuid:".
    return len(value) in (32, 36)


def _wrong_type(wanted: str, value: Any) -> RefusedValueError:
    return RefusedValueError("wrong_type", f"Must be {wanted}, not {_said(value)}.")


def _said(value: Any) -> str:
    return next((word for kind, word in _WORDS if isinstance(value, kind)), "something else")
