"""Schemas as people and generators like to read them. Pure: what validates before, validates after."""

from collections.abc import Mapping
from typing import Any, cast

Json = dict[str, Any]

_BY_NAME = frozenset({"properties", "schemas", "$defs"})
"""Under these the keys are names of somebody's, not words of JSON Schema."""
_VALUES = frozenset({"default", "example", "examples", "enum", "const"})
"""Under these stand values, whatever they look like."""


def tidy(schema: Any) -> Any:
    """Without generated titles, `null` written as a type, and no default where it says nothing."""
    match schema:
        case dict():
            return _tidy_object(cast(Json, schema))
        case list():
            return [tidy(item) for item in cast(list[Any], schema)]
        case _:
            return schema


def _tidy_object(schema: Json) -> Json:
    made: Json = {}
    for key, value in schema.items():
        if key == "title" or (key == "default" and value is None):
            continue
        if key in _BY_NAME and isinstance(value, dict):
            named = cast(Json, value)
            made[key] = {name: tidy(child) for name, child in named.items()}
        else:
            made[key] = value if key in _VALUES else tidy(value)
    return _nullable_as_type(made)


def _nullable_as_type(schema: Json) -> Json:
    # Two boxes "any of: string, null" for every field that may be null is no way to read a page.
    match schema.get("anyOf"):
        case [{"type": str(kind), **rest}, {"type": "null"}]:
            others = {key: value for key, value in schema.items() if key != "anyOf"}
            words = {"enum": [*rest["enum"], None]} if "enum" in rest else {}
            return {"type": [kind, "null"], **cast(Json, rest), **words, **others}
        case _:
            return schema


def renamed(document: Any, names: Mapping[str, str]) -> Any:
    """The document with other names for its component schemas."""
    match document:
        case {"$ref": str(ref)} if ref.startswith(_SCHEMAS):
            name = ref.removeprefix(_SCHEMAS)
            return {**cast(Json, document), "$ref": _SCHEMAS + names.get(name, name)}
        case dict():
            return {key: renamed(value, names) for key, value in cast(Json, document).items()}
        case list():
            return [renamed(item, names) for item in cast(list[Any], document)]
        case _:
            return document


_SCHEMAS = "#/components/schemas/"
_FASTAPIS = frozenset({"HTTPValidationError", "ValidationError"})


def ours(schemas: Json) -> Json:
    """Without what FastAPI adds for errors that never leave us in its shape."""
    return {name: s for name, s in schemas.items() if name not in _FASTAPIS}


def ref(schema: str) -> Json:
    """A reference to a component schema."""
    return {"$ref": _SCHEMAS + schema}
