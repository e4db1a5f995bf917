"""Reads comfy-pack's nodes: `CPackInput*` for inputs, `CPackOutput*` for outputs. Pure.

As published in bentoml/comfy-pack: a node's first input is its value, its name is the title of the node,
where that is an identifier, or else the field it feeds; limits are the inputs `min` and `max`, or the
`options` of the widget it took the place of, which the editor saves in `_meta`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from app.workflows.bindings.annotation import InputNote, OutputNote, number_of
from app.workflows.bindings.models import Scalar, Target
from app.workflows.bindings.names import snake, title_of

_INPUT: Final = "CPackInput"
_OUTPUTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "CPackOutputImage": ("SaveImage", "images", "images"),
    "CPackOutputAudio": ("SaveAudio", "audio", "audio"),
    "CPackOutputVideo": ("SaveVideo", "video", "video"),
    "CPackOutputTextFile": ("PreviewAny", "text", "source"),
}
"""What takes its place, and from which input to which."""
_VALUES: Final = ("value", "input", "image", "path")
"""What the first input is called."""
_KEPT: Final = ("filename_prefix", "format", "codec")


def read_input(node: Mapping[str, Any], fed: Sequence[Target]) -> InputNote | None:
    """The input a node declares, or None for any other node.

    Args:
        node: of the graph
        fed: the fields that are linked to it
    """
    inputs: Mapping[str, Any] = node["inputs"]
    kind = node["class_type"].removeprefix(_INPUT)
    if kind == node["class_type"] or not inputs:
        return None
    name = _name(node, kind, fed)
    default = next((inputs[k] for k in _VALUES if k in inputs), next(iter(inputs.values())))
    if kind in ("Image", "File"):
        loader = "image" if kind == "Image" else None
        file_kind = "image" if kind == "Image" else "file"
        return InputNote(name, "file", default, file_kind=file_kind, loader=loader)
    if kind == "String":
        return InputNote(name, "text", default, multiline=True)
    return _limited(name, kind, default, inputs, _options(node))


def _limited(
    name: str, kind: str, default: Any, inputs: Mapping[str, Any], options: Mapping[str, Any]
) -> InputNote:
    values = options.get("values")
    choices = _choices(values) if isinstance(values, list) else None
    if choices:
        return InputNote(name, "choice", default, choices=choices)
    # The editor saves the options of a widget that no longer counts beside those of an Int.
    limits = inputs if kind == "Int" else {**options, **inputs}
    low, high = number_of(limits, "min"), number_of(limits, "max")
    type_ = "integer" if kind == "Int" else "any"
    return InputNote(name, type_, default, minimum=low, maximum=high)


def read_output(node: Mapping[str, Any]) -> OutputNote | None:
    """The output a node declares, or None for any other node and what cannot be replaced."""
    known = _OUTPUTS.get(node["class_type"])
    if known is None:
        return None
    class_type, given, wanted = known
    inputs: Mapping[str, Any] = node["inputs"]
    kept = {} if class_type == "PreviewAny" else {k: inputs[k] for k in _KEPT if k in inputs}
    title = title_of(node)
    name = title if title.isidentifier() else given
    return OutputNote(name, class_type, {wanted: inputs.get(given), **kept})


def without_work(graph: Mapping[str, Any]) -> list[str]:
    """Nodes that only tell comfy-pack how to hand results over."""
    return [i for i, node in graph.items() if node["class_type"] == "CPackOutputZipSwitch"]


def _name(node: Mapping[str, Any], kind: str, fed: Sequence[Target]) -> str:
    title = title_of(node)
    if title.isidentifier() and snake(title):
        return title
    field = snake(fed[0].input) if fed else ""
    return field or snake(title) or snake(kind) or "input"


def _options(node: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = node.get("_meta")
    options = cast(Mapping[str, Any], meta).get("options") if isinstance(meta, Mapping) else None
    return cast(Mapping[str, Any], options) if isinstance(options, Mapping) else {}


def _choices(values: Any) -> tuple[Scalar, ...]:
    return tuple(v for v in cast(list[Any], values) if isinstance(v, (bool, int, float, str)))
