"""What a workflow takes as JSON Schema (draft 2020-12), and what it gives. Pure.

The schema takes what `bind` takes. Words that begin with `x-` are for forms and change nothing.
"""

from typing import Any, Final, assert_never

from app.workflows.bindings.bind import RANDOM
from app.workflows.bindings.models import Bindings, InputBinding
from app.workflows.bindings.values import (
    LEAST_INTEGER,
    MAX_FILE_LENGTH,
    MAX_TEXT_LENGTH,
    MOST_INTEGER,
)
from app.workflows.files import ASSET_TYPE

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

JsonObject = dict[str, Any]

_FILE: Final[JsonObject] = {
    "anyOf": [
        {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_FILE_LENGTH,
            "description": "An asset id, or the `file_path` of an upload.",
        },
        {
            "type": "object",
            "required": ["__type", "info"],
            "properties": {
                "__type": {"const": ASSET_TYPE},
                "info": {
                    "type": "object",
                    "required": ["id"],
                    "properties": {"id": {"type": "string", "format": "uuid"}},
                },
            },
            "description": "An asset as the official SDKs send it.",
        },
    ]
}


def inputs_schema(bindings: Bindings) -> JsonObject:
    """The schema of `inputs`, in the order of the bindings."""
    return {
        "$schema": DIALECT,
        "type": "object",
        "properties": {
            binding.name: _property(binding, place) for place, binding in enumerate(bindings.inputs)
        },
        "required": [binding.name for binding in bindings.inputs if binding.required],
        "additionalProperties": False,
    }


def outputs_description(bindings: Bindings) -> list[JsonObject]:
    """Each named result: its kind, and the node by which outputs of a job are told apart."""
    return [
        {
            "name": output.name,
            "kind": output.kind,
            "label": output.label,
            "node_id": output.node_id,
        }
        for output in bindings.outputs
    ]


def _property(binding: InputBinding, place: int) -> JsonObject:
    words: JsonObject = {
        "title": binding.label or None,
        "description": binding.help or None,
        "default": binding.default,
        "x-type": binding.type,
        "x-group": binding.group,
        "x-order": place,
        "x-unit": binding.unit,
        "x-step": binding.step,
        "x-file-kind": binding.file_kind,
        "x-multiline": True if binding.multiline else None,
        "x-random-when-omitted": True if binding.random_when_omitted else None,
    }
    return {**_type(binding), **{word: value for word, value in words.items() if value is not None}}


def _type(binding: InputBinding) -> JsonObject:
    schema: JsonObject
    match binding.type:
        case "text":
            schema = {"type": "string", "maxLength": MAX_TEXT_LENGTH}
        case "integer":
            schema = _integer(binding)
        case "seed":
            schema = {"anyOf": [_integer(binding), {"const": RANDOM}]}
        case "number":
            limits = {"minimum": binding.minimum, "maximum": binding.maximum}
            schema = {"type": "number", **{k: v for k, v in limits.items() if v is not None}}
        case "boolean":
            schema = {"type": "boolean"}
        case "choice":
            schema = {"enum": list(binding.choices or ())}
        case "file":
            schema = dict(_FILE)
        case _:
            assert_never(binding.type)
    return schema


def _integer(binding: InputBinding) -> JsonObject:
    low, high = binding.minimum, binding.maximum
    return {
        "type": "integer",
        "minimum": LEAST_INTEGER if low is None else low,
        "maximum": MOST_INTEGER if high is None else high,
    }
