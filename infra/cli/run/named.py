"""`comfyburst run NAME`: the values of a named workflow's inputs, each of the type that its input has."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

from infra.cli.run.api import Api, Json
from infra.cli.run.inputs import Graph, InputError, Upload

_REFERENCE: Final = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9_-]{0,63})(@(?P<version>[1-9][0-9]{0,8}|[a-z][a-z0-9_-]{0,63}))?"
)


def is_reference(text: str) -> bool:
    """Whether it can be the name of a workflow, with or without a version."""
    return _REFERENCE.fullmatch(text) is not None


def address_of(text: str) -> tuple[str, str]:
    """Name and version; without one it is `latest`.

    Raises:
        InputError: it is no reference.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise InputError(f"{text!r} is not a name as poster, poster@3 or poster@prod")
    return match["name"], match["version"] or "latest"


def load_named(api: Api, reference: str) -> tuple[Graph, Json]:
    """The graph and the bindings of a version, to show its nodes and to read values.

    Raises:
        ApiError: there is none.
    """
    name, version = address_of(reference)
    found = api.call("GET", f"workflows/{name}/versions/{version}")
    return cast("Graph", found["graph"]), cast("Json", found["bindings"])


def values_of(bindings: Json, assignments: Sequence[str], upload: Upload) -> Json:
    """What `-i INPUT=VALUE` says; `@file` is uploaded, `:=` takes JSON as it stands.

    Raises:
        InputError: there is no such input, or the text is not of its type.
    """
    known: dict[str, Json] = {each["name"]: each for each in bindings["inputs"]}
    values: Json = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        is_json = name.endswith(":")
        name = name.removesuffix(":")
        if not equals:
            raise InputError(f"{text!r} is not INPUT=VALUE, as in prompt='a cat'")
        if name not in known:
            raise InputError(f"there is no input {name!r}; there are: {', '.join(known) or 'none'}")
        values[name] = _json(name, value) if is_json else _value(known[name], value, upload)
    return values


def _value(binding: Json, text: str, upload: Upload) -> Any:
    kind, name = str(binding["type"]), str(binding["name"])
    match kind:
        case "file":
            return _file(name, text, upload)
        case "text":
            return text
        case "seed" if text == "random":
            return text
        case "choice":
            return _choice(binding, text)
        case _:
            return _json(name, text)


def _choice(binding: Json, text: str) -> Any:
    """Choices may be numbers: the one that is written so."""
    for choice in binding.get("choices") or ():
        if text in {choice, json.dumps(choice)}:
            return choice
    return text


def _file(name: str, text: str, upload: Upload) -> Any:
    if not text.startswith("@"):
        return text
    path = Path(text[1:]).expanduser()
    if not path.is_file():
        raise InputError(f"{name}: there is no file {str(path)!r}")
    return upload(path)


def _json(name: str, text: str) -> Any:
    try:
        value: Any = json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        raise InputError(
            f"{name}: {text!r} is neither a number, true or false, nor other JSON"
        ) from error
    return value


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")
