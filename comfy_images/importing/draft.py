"""An environment that may still lack something: what was found, and what a person has to add.

What a file does not say stays an empty value with a remark: `environments check` then names it. A
node or a model is never dropped in silence, for its jobs would fail much later.
"""

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, cast

from pydantic import TypeAdapter, ValidationError

from comfy_images.manifest.fields import Requirement

_REQUIREMENT: Final = TypeAdapter[str](Requirement)
_SSH: Final = re.compile(r"(?:ssh://)?git@([A-Za-z0-9.-]+)[:/](.+)")
_NULLS: Final = frozenset({"null", "~"})
_MANAGER: Final = re.compile(r"/comfyui-manager(\.git)?/?$", re.IGNORECASE)


class NotKnownError(Exception):
    """The file is of no format that is imported; the message says which are."""

    code: ClassVar = "unknown_format"


@dataclass(frozen=True, slots=True)
class DraftPack:
    """A pack of custom nodes; empty texts are what its file does not say."""

    url: str
    commit: str
    name: str = ""
    """Its folder, where that is not the last part of the URL."""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class DraftModel:
    """A model file; empty texts and a size of 0 are what its file does not say."""

    name: str
    folder: str
    url: str
    size_bytes: int = 0
    sha256: str = ""
    remark: str = ""


@dataclass(slots=True)
class Draft:
    """What an import found."""

    source: str
    """What it was read from, as in "From {source}"."""
    commit: str = ""
    """Of ComfyUI."""
    python_version: str = ""
    packs: list[DraftPack] = field(default_factory=list[DraftPack])
    models: list[DraftModel] = field(default_factory=list[DraftModel])
    constraints: list[str] = field(default_factory=list[str])
    notes: list[str] = field(default_factory=list[str])
    """What was left out, and why."""

    def add_pack(self, url: str, commit: str, *, disabled: bool = False) -> None:
        """Note a pack that lies in a repository."""
        if disabled:
            self.notes.append(f"{url} was disabled: left out.")
        elif _MANAGER.search(url):
            self.notes.append(f"{url}: left out, for the worker owns the process.")
        else:
            self.packs.append(DraftPack(https_of(url), commit))

    def add_pin(self, line: str) -> None:
        """Note an installed package, or say why it cannot bind another install."""
        try:
            pin = _REQUIREMENT.validate_python(line.strip())
        except ValidationError:
            self.notes.append(f"The package {line.strip()!r} is no version of an index: left out.")
            return
        self.constraints.append(pin)
        if "+" in pin.partition("==")[2]:
            self.notes.append(
                f"{pin} is a build of an index of its own: name that in extra_index_urls."
            )


def https_of(url: str) -> str:
    """The same repository, as anybody can clone it."""
    found = _SSH.fullmatch(url)
    return f"https://{found[1]}/{found[2]}" if found else url


def mapping(value: Any) -> dict[str, Any]:
    """A mapping with texts as keys; what is none counts as empty."""
    if not isinstance(value, dict):
        return {}
    return {str(key): item for key, item in cast("dict[Any, Any]", value).items()}


def items(value: Any) -> list[Any]:
    """A list; what is none counts as empty."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def text(value: Any) -> str:
    """A text; what is none, or YAML's null, counts as empty."""
    return value if isinstance(value, str) and value not in _NULLS else ""


def is_true(value: Any) -> bool:
    """JSON's true, or YAML's, which is read as a text."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def whole(value: Any) -> int:
    """A size; what is none counts as 0, which stands for unknown."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
