"""Edits of bindings by name, and what makes them no bindings. Pure.

An edit is a merge patch (RFC 7396) over `{name: binding}`: a field that is given replaces what was
there, null for a whole binding takes it away, a name that was not there adds it, `name` renames.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from app.workflows.bindings.models import Bindings
from app.workflows.intake import invalid_bindings
from app.workflows.registry.models import JsonObject

Edits = Mapping[str, Mapping[str, Any] | None]
"""By name."""


def edited(bindings: Bindings, inputs: Edits, outputs: Edits) -> Bindings:
    """The bindings after an edit; order is kept, what is new comes last.

    Raises:
        AppError: 422 `invalid_bindings`, with everything that is wrong in `details.errors`.
    """
    errors: list[JsonObject] = []
    dumped = {
        "inputs": _merged("inputs", bindings.inputs, inputs, errors),
        "outputs": _merged("outputs", bindings.outputs, outputs, errors),
    }
    try:
        made = Bindings.model_validate(dumped)
    except ValidationError as error:
        errors += [_readable(e["loc"], e["msg"], dumped) for e in error.errors()]
        raise invalid_bindings(errors) from error
    if errors:
        raise invalid_bindings(errors)
    return made


def _merged(
    kind: str, old: Sequence[BaseModel], edits: Edits, errors: list[JsonObject]
) -> list[JsonObject]:
    known = {
        each["name"]: each for each in (b.model_dump(mode="json", exclude_unset=True) for b in old)
    }
    merged: list[JsonObject] = []
    for name, binding in known.items():
        match edits.get(name, {}):
            case None:
                pass
            case edit:
                merged.append({**binding, **edit})
    for name, edit in edits.items():
        if name in known:
            continue
        if edit is None:
            errors.append(
                {
                    "field": f"{kind}.{name}",
                    "reason": "unknown",
                    "message": f"There is none called so; there are: {', '.join(known) or 'none'}.",
                }
            )
        else:
            merged.append({"name": name, **edit})
    return merged


def _readable(loc: tuple[int | str, ...], message: str, dumped: JsonObject) -> JsonObject:
    """A place by the name of its binding, not by its number."""
    match loc:
        case (str(kind), int(index), *rest):
            path = [kind, str(dumped[kind][index].get("name", index)), *map(str, rest)]
        case _:
            path = [str(part) for part in loc]
    return {"field": ".".join(path), "reason": "invalid", "message": message}
