"""One input or output that a node of another product declares, in our words. Pure values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.workflows.bindings.models import FileKind, Scalar

Loader = Literal["image", "alpha", "audio", "video"]
"""What takes the place of a node that loads a file: `alpha` keeps the transparency in the picture."""


@dataclass(frozen=True, slots=True)
class InputNote:
    """A node that stands for a value its caller gives."""

    name: str
    kind: Literal["text", "integer", "number", "boolean", "seed", "choice", "any", "file"]
    """`any`: of the type that the fields it feeds take."""
    default: Any
    """A plain value, a link to what is used where nothing is given, or None."""
    label: str = ""
    help: str = ""
    minimum: int | float | None = None
    maximum: int | float | None = None
    choices: tuple[Scalar, ...] | None = None
    multiline: bool = False
    random_when_omitted: bool = False
    file_kind: FileKind | None = None
    loader: Loader | None = None
    """None of a `file`: the fields it feeds take its name."""


@dataclass(frozen=True, slots=True)
class OutputNote:
    """A node that stands for a result; a node of ComfyUI's own does its work."""

    name: str
    class_type: str
    inputs: Mapping[str, Any]


def text_of(inputs: Mapping[str, Any], name: str) -> str:
    """A text among the inputs of a node, or nothing."""
    value = inputs.get(name)
    return value.strip() if isinstance(value, str) else ""


def number_of(inputs: Mapping[str, Any], name: str) -> int | float | None:
    """A number among the inputs of a node that is a limit to anything, or None."""
    value = inputs.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # Both products write the largest integer where no limit is meant, one of them rounded by JavaScript.
    return value if -(2**53) < value < 2**53 else None
