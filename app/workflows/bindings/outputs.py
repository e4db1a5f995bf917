"""Names what a workflow gives: its output nodes, after their titles, prefixes, or kinds. Pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from app.workflows.bindings.models import (
    MAX_LABEL_LENGTH,
    MAX_OUTPUTS,
    OutputBinding,
    OutputKind,
)
from app.workflows.bindings.names import Names, label_of
from app.workflows.bindings.view import View, target_of
from app.workflows.graph import links
from app.workflows.object_info import is_output_node

_KINDS: Final[tuple[tuple[str, OutputKind], ...]] = (
    ("3d", "file"), ("glb", "file"), ("mesh", "file"), ("latent", "latent"), ("audio", "audio"),
    ("mp3", "audio"), ("opus", "audio"), ("webm", "video"), ("video", "video"), ("text", "text"),
    ("string", "text"), ("previewany", "text"), ("image", "image"), ("mask", "image"), ("webp", "image"),
    ("png", "image"), ("gif", "image"),
)  # fmt: skip
"""What a class is called says what it saves; the first that fits."""
_BY_TYPE: Final[Mapping[str, OutputKind]] = {
    "IMAGE": "image",
    "MASK": "image",
    "VIDEO": "video",
    "AUDIO": "audio",
    "LATENT": "latent",
    "STRING": "text",
}
_PLACEHOLDER: Final = re.compile(r"%[^%]*%")
_BRAND: Final = re.compile(r"^(comfy_?ui|comfydeploy)", re.IGNORECASE)
_SAVES: Final = re.compile(r"^(save|preview|show)\b[\s:_-]*(the\s+)?", re.IGNORECASE)
_SAYS_NOTHING: Final = frozenset({"", "output", "image", "cpack_output"})


def find_outputs(
    view: View, first: Iterable[str] = (), said: dict[str, str] | None = None
) -> list[OutputBinding]:
    """All output nodes: those picked first, then those that save, then those that only show.

    Args:
        view: the graph
        first: node ids, in order
        said: names given by an author, by node id
    """
    names, given = Names(), said or {}
    ends = [node_id for node_id, _ in view.nodes() if _ends_here(view, node_id)]
    saving = [node_id for node_id in ends if "preview" not in view.class_type(node_id).lower()]
    order = dict.fromkeys([*(n for n in first if n in ends), *given, *saving, *ends])
    return [
        _output(view, node_id, names, given.get(node_id, ""))
        for node_id in list(order)[:MAX_OUTPUTS]
        if node_id in ends and node_id
    ]


def _ends_here(view: View, node_id: str) -> bool:
    known = view.node_class(node_id)
    if known is not None:
        return is_output_node(known)
    name = view.class_type(node_id).lower()
    return not view.fed.get(node_id) and name.startswith(("save", "preview", "cpackoutput"))


def _output(view: View, node_id: str, names: Names, said: str) -> OutputBinding:
    kind = output_kind(view, node_id)
    title = view.own_title(node_id)
    title = title.removeprefix("$") if title.startswith("$") else title
    shown = "preview" if "preview" in view.class_type(node_id).lower() and kind == "image" else kind
    called = said or _SAVES.sub("", title) or _prefix(view, node_id) or shown
    name = names.take(called, kind)
    label = label_of(name) if said or not title else title[:MAX_LABEL_LENGTH]
    return OutputBinding(name=name, node_id=node_id, kind=kind, label=label)


def output_kind(view: View, node_id: str) -> OutputKind:
    """What a node saves, by its class, else by what it is fed with."""
    name = view.class_type(node_id).lower()
    for part, kind in _KINDS:
        if part in name:
            return kind
    for _, link in links(view.graph[node_id]):
        fed = _BY_TYPE.get(view.output_type(link)) if link.node_id in view.graph else None
        if fed:
            return fed
    return "file"


def _prefix(view: View, node_id: str) -> str:
    """The last part of the file name, where somebody chose it."""
    value = view.value(target_of(node_id, "filename_prefix"))
    if not isinstance(value, str):
        return ""
    spec = view.spec(target_of(node_id, "filename_prefix"))
    last = _PLACEHOLDER.sub("", value).rstrip("/").rpartition("/")[2]
    last = _BRAND.sub("", last).strip("_- ")
    is_default = spec is not None and value == spec.options.get("default")
    return "" if is_default or last.lower() in _SAYS_NOTHING else last
