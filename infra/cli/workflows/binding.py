"""`comfyburst workflows bind`: changes what callers of a workflow can give; a new version is made."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from infra.cli.run.api import Api, Json
from infra.cli.run.inputs import InputError
from infra.cli.run.named import address_of
from infra.cli.workflows.asking import ask, print_json, say
from infra.cli.workflows.looking import print_bindings
from infra.cli.workflows.pushing import read_json

_TEXTS: Final = frozenset({"name", "label", "help", "unit", "type", "file_kind", "group"})
"""Fields that are texts: what is written is what is meant, digits included."""


@dataclass(frozen=True, slots=True)
class BindOptions:
    """What the command line said."""

    reference: str
    changes: Sequence[str]
    remove: Sequence[str]
    file: Path | None
    notes: str


def bind(options: BindOptions, state: Path, *, as_json: bool) -> int:
    """Change bindings, and show the version that has them."""

    def work(api: Api) -> None:
        name, version = address_of(options.reference)
        body = edits_of(options)
        # By its number: a call that is repeated then begins where the first one did.
        begun = api.call("GET", f"workflows/{name}/versions/{version}")
        made = api.call(
            "PATCH",
            f"workflows/{name}/bindings",
            json={**body, "version": str(begun["version"]), "notes": options.notes},
        )
        if as_json:
            print_json(made)
            return
        say(made["reference"])
        print_bindings(made["bindings"])

    return ask(state, work)


def edits_of(options: BindOptions) -> Json:
    """`inputs` and `outputs` of the request.

    Raises:
        InputError: a change is not INPUT.FIELD=VALUE, or the file is not JSON.
    """
    edits: Json = {"inputs": {}, "outputs": {}}
    if options.file is not None:
        loaded: Any = read_json(options.file)
        if not isinstance(loaded, dict) or cast("Json", loaded).keys() - {"inputs", "outputs"}:
            raise InputError(f"{options.file}: an object with `inputs` and `outputs` was expected")
        edits |= cast("Json", loaded)
    inputs: Json = edits["inputs"]
    for text in options.changes:
        target, equals, value = text.partition("=")
        is_json = target.endswith(":")
        name, dot, field = target.removesuffix(":").partition(".")
        if not (equals and dot and name and field):
            raise InputError(f"{text!r} is not INPUT.FIELD=VALUE, as in prompt.label=Text")
        inputs.setdefault(name, {})[field] = _value(field, value, is_json=is_json)
    for name in options.remove:
        inputs[name] = None
    return edits


def _value(field: str, text: str, *, is_json: bool) -> Any:
    if field in _TEXTS and not is_json:
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        if is_json:
            raise InputError(f"{field}: {text!r} is not JSON: {error}") from error
        return text
