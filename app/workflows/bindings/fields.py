"""What one field of a graph takes: its type, default, range, choices, unit, kind of file. Pure.

object_info says it; where the node is not known there, the value that stands in the graph. What
stands in the graph is always taken: ranges and choices are widened to it, so that a proposal never
contradicts the workflow it was made of.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from app.workflows.bindings.models import (
    MAX_CHOICES,
    MAX_HELP_LENGTH,
    FileKind,
    InputType,
    Scalar,
    Target,
    Value,
)
from app.workflows.bindings.values import LEAST_INTEGER, MOST_INTEGER, text_problem
from app.workflows.bindings.view import View
from app.workflows.files import is_handle
from app.workflows.object_info import InputSpec
from app.workflows.sanitise import path_problem

LOADERS: Final[Mapping[tuple[str, str], FileKind]] = {
    ("LoadImage", "image"): "image",
    ("LoadImageMask", "image"): "mask",
    ("LoadAudio", "audio"): "audio",
    ("LoadVideo", "file"): "video",
    ("Load3D", "model_file"): "mesh",
    ("Load3DAnimation", "model_file"): "mesh",
    ("VHS_LoadVideo", "video"): "video",
    ("VHS_LoadAudioUpload", "audio"): "audio",
}
"""Fields that name uploads, by class: known without object_info, and those that do not say so there."""

_UPLOAD_KINDS: Final[Mapping[str, FileKind]] = {
    "image_upload": "image",
    "video_upload": "video",
    "audio_upload": "audio",
    "mesh_upload": "mesh",
    "file_upload": "file",
}
SEEDS: Final = frozenset({"seed", "noise_seed"})
_UNITS: Final[Mapping[str, str]] = {
    "width": "px",
    "height": "px",
    "fps": "fps",
    "frame_rate": "fps",
    "length": "frames",
    "num_frames": "frames",
    "seconds": "s",
    "duration": "s",
    "megapixels": "MP",
    "percent": "%",
}
_MODEL_FIELDS: Final = frozenset(
    {
        "ckpt_name", "unet_name", "vae_name", "lora_name", "clip_name", "clip_name1", "clip_name2",
        "clip_name3", "control_net_name", "style_model_name", "model_name",
    }
)  # fmt: skip
"""Choices whose list is not known where the node is not."""
_WIDE: Final = 2**53
"""A limit beyond it limits nothing that a number could be wanted for."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field, described."""

    type: InputType
    default: Value | None = None
    minimum: int | float | None = None
    maximum: int | float | None = None
    step: int | float | None = None
    choices: tuple[Scalar, ...] | None = None
    unit: str | None = None
    file_kind: FileKind | None = None
    multiline: bool = False
    help: str = ""
    is_model: bool = False


def field_of(view: View, target: Target) -> Field | None:
    """A field that holds a plain value, described; None for a link and what no caller could give."""
    value = view.value(target)
    if value is None:
        return None
    spec = view.spec(target)
    kind = file_kind(view.class_type(target.node_id), target.input, spec)
    if kind and (isinstance(value, str) or is_handle(value)):
        return _file(kind, value, spec)
    is_plain = isinstance(value, (bool, int, float)) or (
        isinstance(value, str) and text_problem(value) is None
    )
    if not is_plain or view.drops(target) or (spec and spec.type in view.link_types):
        return None
    field = _by_spec(spec, target.input, value) if spec else plain_field(target.input, value)
    if field is None:
        return None
    field = replace(field, unit=_unit(target.input, field), help=_help(spec))
    if not view.class_type(target.node_id).startswith("Primitive"):
        return field
    # A primitive takes any number; what it feeds does not.
    fed = view.fed.get(target.node_id, [])
    return within(field, [(consumer.input, view.spec(consumer)) for consumer in fed])


def file_kind(class_type: str, name: str, spec: InputSpec | None) -> FileKind | None:
    """What kind of file a field takes; None where it takes none."""
    if spec is not None and spec.options.get("image_folder", "input") != "input":
        return None  # lists what ComfyUI made earlier, which is nobody's upload
    known = LOADERS.get((class_type, name))
    if known or spec is None:
        return known
    return next((kind for flag, kind in _UPLOAD_KINDS.items() if spec.options.get(flag)), None)


def _file(kind: FileKind, value: Any, spec: InputSpec | None) -> Field:
    usable = is_handle(value) or (bool(value) and path_problem(value) is None)
    return Field("file", value if usable else None, file_kind=kind, help=_help(spec))


def _by_spec(spec: InputSpec, name: str, value: Scalar) -> Field | None:
    match spec.type:
        case "INT":
            number = as_number(value, whole=True)
            return None if number is None else _number("integer", name, number, spec.options)
        case "FLOAT":
            number = as_number(value, whole=False)
            return None if number is None else _number("number", name, number, spec.options)
        case "BOOLEAN":
            return Field("boolean", bool(value)) if isinstance(value, (bool, int)) else None
        case "COMBO":
            return _choice(spec, value)
        case "STRING":
            text = value if isinstance(value, str) else str(value)
            return Field("text", text, multiline=bool(spec.options.get("multiline")))
        case _:
            return plain_field(name, value)


def plain_field(name: str, value: Scalar) -> Field | None:
    match value:
        case bool():
            return Field("boolean", value)
        case int() | float():
            kind = "integer" if isinstance(value, int) else "number"
            number = as_number(value, whole=kind == "integer")
            return None if number is None else _number(kind, name, number, {})
        case _ if name in _MODEL_FIELDS:
            return Field("choice", value, choices=(value,), is_model=True)
        case _:
            return Field("text", value, multiline=name in {"text", "prompt"} or "\n" in value)


def as_number(value: Scalar, *, whole: bool) -> int | float | None:
    """As ComfyUI reads it, which takes "64"; None for what is no number, or none that JSON carries."""
    try:
        number = value if isinstance(value, float) and not whole else _convert(value, whole=whole)
    except (ValueError, OverflowError):
        return None
    return number if LEAST_INTEGER <= number <= MOST_INTEGER else None


def _convert(value: Scalar, *, whole: bool) -> int | float:
    if whole:
        return int(value)
    return value if type(value) is int else float(value)


def _number(
    kind: InputType, name: str, value: int | float, options: Mapping[str, Any]
) -> Field | None:
    is_seed = kind == "integer" and name in SEEDS
    low, high = _limit(options.get("min"), kind), _limit(options.get("max"), kind)
    if is_seed:
        low, high = (0 if low is None else low), (MOST_INTEGER if high is None else high)
    else:
        low = None if low is not None and low <= -_WIDE else low
        high = None if high is not None and high >= _WIDE else high
    step = _limit(options.get("step"), kind)
    return Field(
        "seed" if is_seed else kind,
        value,
        minimum=None if low is None else min(low, value),
        maximum=None if high is None else max(high, value),
        step=step if step and step > 0 and not is_seed else None,
    )


def _limit(value: object, kind: InputType) -> int | float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not -1e300 < value < 1e300:
        return None
    return int(value) if kind == "integer" else value


def _choice(spec: InputSpec, value: Scalar) -> Field:
    offered = [c for c in spec.choices or [] if isinstance(c, (bool, int, float, str))]
    choices = tuple(offered[:MAX_CHOICES])
    if not any(same(value, choice) for choice in choices):
        choices = (value, *choices[: MAX_CHOICES - 1])
    return Field("choice", value, choices=choices, is_model=spec.is_model_file)


def same(one: object, other: object) -> bool:
    """Equal, and of one type: Python's `True == 1` is no choice of a caller."""
    return type(one) is type(other) and one == other


def _unit(name: str, field: Field) -> str | None:
    return _UNITS.get(name.rpartition(".")[2]) if field.type in ("integer", "number") else None


def _help(spec: InputSpec | None) -> str:
    tip = spec.options.get("tooltip") if spec else None
    return tip[:MAX_HELP_LENGTH] if isinstance(tip, str) else ""


def within(field: Field, consumers: Iterable[tuple[str, InputSpec | None]]) -> Field:
    """The field narrowed to what all of its consumers take, and a seed where one of them wants one.

    Args:
        field: as it describes itself
        consumers: name and spec of every field it feeds
    """
    for name, spec in consumers:
        if spec is None or field.type not in ("integer", "number", "seed", "text"):
            continue
        if field.type == "text":
            if spec.type == "COMBO" and spec.choices is not None and isinstance(field.default, str):
                field = replace(_choice(spec, field.default), help=field.help)
            continue
        default = field.default
        if spec.type not in ("INT", "FLOAT") or not isinstance(default, (int, float)):
            continue
        if spec.type == "INT" and field.type == "number":
            field = replace(field, type="integer", default=(default := int(default)))
        kind: InputType = "integer" if field.type != "number" else "number"
        other = _number(kind, name, default, spec.options)
        if other is not None:
            field = _narrowed(field, other, name)
    return field


def meet(one: Field, other: Field) -> Field:
    """What two fields both take; the first alone where they have nothing in common."""
    if not akin(one, other):
        return one
    if one.choices is not None and other.choices is not None:
        both = tuple(c for c in one.choices if any(same(c, also) for also in other.choices))
        return replace(one, choices=both) if both else one
    return _narrowed(one, other, "")


def akin(one: Field, other: Field) -> bool:
    """Whether one value can go into both."""
    return one.type == other.type or {one.type, other.type} == {"integer", "seed"}


def _narrowed(field: Field, other: Field, name: str) -> Field:
    lows = [x for x in (field.minimum, other.minimum) if x is not None]
    highs = [x for x in (field.maximum, other.maximum) if x is not None]
    return replace(
        field,
        type="seed" if "seed" in (field.type, other.type) else field.type,
        minimum=max(lows) if lows else None,
        maximum=min(highs) if highs else None,
        step=field.step or other.step,
        unit=field.unit or _unit(name, other),
        help=field.help or other.help,
    )
