"""The document as tests look at it: made once, its parts found, values held to its schemas."""

from functools import cache
from typing import Any, cast

import jsonschema_rs

from app.config import Settings
from app.main import create_app
from app.openapi.document import operations

Json = dict[str, Any]


@cache
def contract() -> Json:
    """Ours."""
    return create_app(Settings()).openapi()


def by_id() -> dict[str, Json]:
    """Every operation by its id."""
    return {operation["operationId"]: operation for _, _, operation in operations(contract())}


def resolved(node: Json) -> Json:
    """What a reference leads to; anything else is itself."""
    if "$ref" not in node:
        return node
    found: Any = contract()
    for part in str(node["$ref"]).removeprefix("#/").split("/"):
        found = found[part]
    return found


def errors_of(schema: Json, value: Any) -> list[str]:
    """Why a value does not fit a schema of the document."""
    validator = jsonschema_rs.validator_for(
        {**schema, "components": contract()["components"]},
        validate_formats=True,
    )
    return [
        f"{'/'.join(map(str, e.instance_path))}: {e.message}" for e in validator.iter_errors(value)
    ]


def shape(value: Any) -> Any:
    """A value without its contents: its names, and the kind of each."""
    match value:
        case dict():
            return {name: shape(child) for name, child in cast(Json, value).items()}
        case list():
            return [shape(child) for child in cast(list[Any], value)[:1]]
        case _:
            return type(value).__name__
