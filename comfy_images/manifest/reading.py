"""A manifest from its TOML: the environment, or every fault in it at once, each with its place."""

import difflib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from comfy_images.manifest.fields import PICKLED_KINDS
from comfy_images.manifest.models import (
    ComfyUI,
    Image,
    Manifest,
    ModelFile,
    Pack,
    Python,
    last_part,
)

MAX_BYTES: Final = 1 << 20
"""Of the TOML; an environment of 200 packs and 500 models has 200 KB."""

_TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "": tuple(Manifest.model_fields),
    "comfyui": tuple(ComfyUI.model_fields),
    "python": tuple(Python.model_fields),
    "custom_nodes": tuple(Pack.model_fields),
    "models": tuple(ModelFile.model_fields),
    "image": tuple(Image.model_fields),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong. `path` is its place in the TOML, as `models[2].url`."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ManifestError(Exception):
    """It is no environment; `faults` says all that is wrong with it."""

    code: ClassVar = "invalid_manifest"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


def read_manifest(toml: bytes) -> Manifest:
    """The environment that a TOML describes.

    Raises:
        ManifestError: with every fault at once.
    """
    values = _parsed(toml)
    between = list(_faults_between(values))
    try:
        manifest = Manifest.model_validate(values)
    except ValidationError as error:
        alone = [_fault(detail) for detail in error.errors(include_url=False)]
        raise ManifestError([*_without_followers(alone, values), *between]) from error
    if between:
        raise ManifestError(between)
    return manifest


def _parsed(toml: bytes) -> dict[str, Any]:
    if len(toml) > MAX_BYTES:
        raise ManifestError([Fault("", f"has {len(toml)} bytes; at most {MAX_BYTES} are read")])
    try:
        return tomllib.loads(toml.decode())
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are both
        raise ManifestError([Fault("", f"is no TOML: {error}")]) from error


# --- what pydantic found ----------------------------------------------------------------------


def _fault(detail: ErrorDetails) -> Fault:
    return Fault(_place(detail["loc"]), _sentence(detail))


def _place(parts: Sequence[int | str]) -> str:
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _sentence(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return _unknown(detail["loc"])
        case "value_error":
            return str(context.get("error"))
        case "too_long":
            return (
                f"has {context['actual_length']} entries; at most {context['max_length']} are taken"
            )
        case "greater_than_equal":
            return (
                "must be the file's size in bytes, which its source states or a HEAD request tells"
            )
        case _:
            message = detail["msg"]
            return message[:1].lower() + message[1:]


def _without_followers(faults: list[Fault], values: Mapping[str, Any]) -> Iterator[Fault]:
    """Without those of a name that was taken from a URL which has a fault itself."""
    urls = {fault.path.removesuffix(".url") for fault in faults if fault.path.endswith("].url")}
    unnamed = {
        f"{table}[{index}]"
        for table in ("custom_nodes", "models")
        for index, entry in _tables(values, table)
        if "name" not in entry
    }
    followers = {f"{place}.name" for place in urls & unnamed}
    yield from (fault for fault in faults if fault.path not in followers)


def _unknown(parts: Sequence[int | str]) -> str:
    names = [part for part in parts if isinstance(part, str)]
    known = _TABLES.get(names[0] if len(names) > 1 else "", ())
    close = difflib.get_close_matches(names[-1], known, n=1)
    if close:
        return f"is not known; {close[0]} is"
    return f"is not known; known are {', '.join(known)}"


# --- what two values have against each other --------------------------------------------------


def _faults_between(values: Mapping[str, Any]) -> Iterator[Fault]:
    """Read from the bare values, so that they are told together with the faults of single ones."""
    yield from _twice("custom_nodes", _tables(values, "custom_nodes"), _pack_folder, "folder")
    models = _tables(values, "models")
    yield from _twice("models", models, _model_path, "file")
    for index, model in models:
        name = _name_of(model)
        if name.lower().endswith(PICKLED_KINDS) and model.get("allow_pickle") is not True:
            yield Fault(
                f"models[{index}].allow_pickle",
                f"must be true for {name}: reading this kind of file may run what is inside. "
                "Better take a .safetensors",
            )


def _tables(values: Mapping[str, Any], name: str) -> list[tuple[int, dict[str, Any]]]:
    found = values.get(name)
    entries = cast("list[Any]", found) if isinstance(found, list) else []
    return [
        (index, cast("dict[str, Any]", entry))
        for index, entry in enumerate(entries)
        if isinstance(entry, dict)
    ]


def _twice(
    table: str, entries: list[tuple[int, dict[str, Any]]], key: Any, word: str
) -> Iterator[Fault]:
    first: dict[str, int] = {}
    for index, entry in entries:
        text = str(key(entry)).casefold()  # a Mac's disk takes A and a for one
        if text in first:
            yield Fault(
                f"{table}[{index}]", f"has the {word} of {table}[{first[text]}]: {key(entry)}"
            )
        elif text:
            first[text] = index


def _name_of(entry: Mapping[str, Any]) -> str:
    url = entry.get("url")
    name = entry.get("name", last_part(url) if isinstance(url, str) else "")
    return name if isinstance(name, str) else ""


def _pack_folder(entry: Mapping[str, Any]) -> str:
    return _name_of(entry).removesuffix("" if "name" in entry else ".git")


def _model_path(entry: Mapping[str, Any]) -> str:
    name = _name_of(entry)
    return f"{entry.get('folder', '')}/{name}" if name else ""
