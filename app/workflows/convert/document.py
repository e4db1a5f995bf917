"""What the ComfyUI editor saves, as typed values: nodes, links, and subgraphs. Pure.

Every generation of the format is read (links as lists or objects, ids as numbers or texts), nothing
is repaired: what cannot be read is a fault, and all faults are told at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, NamedTuple, cast

from app.workflows.convert.refusal import ConversionRefusedError

MAX_FAULTS: Final = 50
"""Told at once; a file of another kind would fill a page."""
MAX_ID_LENGTH: Final = 100
MAX_TYPE_LENGTH: Final = 300

Json = Mapping[str, Any]
_LINK_NAMES: Final = ("id", "origin_id", "origin_slot", "target_id", "target_slot")


class Mode(IntEnum):
    """Whether a node runs; the editor's other modes run as well."""

    ALWAYS = 0
    MUTED = 2
    BYPASSED = 4


class Slot(NamedTuple):
    """An input or output of a node, or of a subgraph."""

    name: str
    type: str
    links: tuple[str, ...] = ()
    """Ids of links: of an input one at most, of a node's output none."""
    widget: str | None = None
    """Name of the widget whose value the link replaces."""


class Link(NamedTuple):
    """From an output to an input, both by position."""

    origin: str
    origin_slot: int
    target: str
    target_slot: int


@dataclass(frozen=True, slots=True)
class UiNode:
    """One box."""

    id: str
    type: str
    mode: int
    title: str | None
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    values: list[Any] | dict[str, Any]
    """Of its widgets: by position, or by name."""
    properties: Json

    @property
    def runs(self) -> bool:
        """Neither muted nor bypassed."""
        return self.mode not in {Mode.MUTED, Mode.BYPASSED}


@dataclass(frozen=True, slots=True)
class Canvas:
    """Nodes and the links between them."""

    nodes: Mapping[str, UiNode]
    links: Mapping[str, Link]


@dataclass(frozen=True, slots=True)
class Subgraph:
    """A canvas that stands for a node, and what goes in and out of it."""

    id: str
    name: str
    canvas: Canvas
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    input_node: str
    """The id that links from the subgraph's own inputs start at."""
    output_node: str


@dataclass(frozen=True, slots=True)
class Document:
    """A whole file."""

    root: Canvas
    subgraphs: Mapping[str, Subgraph]
    extra: Json


@dataclass(slots=True)
class _Faults:
    found: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    def add(self, where: str, message: str) -> None:
        if len(self.found) < MAX_FAULTS:
            self.found.append({"field": where, "message": message})


def is_ui(value: Any) -> bool:
    """Whether this is what the editor saves."""
    return isinstance(value, dict) and isinstance(cast(Json, value).get("nodes"), list)


def read_document(ui: Json) -> Document:
    """The typed form of parsed JSON.

    Raises:
        ConversionRefusedError: `not_a_ui_workflow`, `damaged_workflow` with every fault.
    """
    if not is_ui(ui):
        raise ConversionRefusedError(
            "not_a_ui_workflow", "A workflow of the ComfyUI editor has a list of `nodes`."
        )
    faults = _Faults()
    root = _canvas(ui, "", faults)
    definitions = json_object(ui.get("definitions")).get("subgraphs")
    subgraphs: dict[str, Subgraph] = {}
    for index, raw in enumerate(json_list(definitions)):
        subgraph = _subgraph(raw, f"definitions.subgraphs.{index}", faults)
        if subgraph is not None:
            subgraphs[subgraph.id] = subgraph
    if faults.found:
        raise ConversionRefusedError(
            "damaged_workflow",
            f"The workflow cannot be read: {faults.found[0]['field']}: {faults.found[0]['message']}",
            {"faults": faults.found},
        )
    return Document(root, subgraphs, json_object(ui.get("extra")))


def node_from(raw: Any) -> UiNode | None:
    """One node that stands elsewhere in a file; None where it cannot be read."""
    faults = _Faults()
    node = _node(raw, "", faults)
    return None if faults.found else node


def json_object(value: Any) -> Json:
    """The value, or an empty object in its place."""
    return cast(Json, value) if isinstance(value, dict) else {}


def json_list(value: Any) -> list[Any]:
    """The value, or an empty list in its place."""
    return cast(list[Any], value) if isinstance(value, list) else []


def _subgraph(raw: Any, where: str, faults: _Faults) -> Subgraph | None:
    value = json_object(raw)
    name = value.get("id")
    if not isinstance(name, str):
        faults.add(f"{where}.id", "A subgraph needs a text as id.")
        return None
    return Subgraph(
        name,
        str(value.get("name") or name),
        _canvas(value, f"{where}.", faults),
        _slots(value.get("inputs"), f"{where}.inputs", faults),
        _slots(value.get("outputs"), f"{where}.outputs", faults),
        _id(json_object(value.get("inputNode")).get("id")) or "-10",
        _id(json_object(value.get("outputNode")).get("id")) or "-20",
    )


def _canvas(value: Json, where: str, faults: _Faults) -> Canvas:
    nodes: dict[str, UiNode] = {}
    for index, raw in enumerate(json_list(value.get("nodes"))):
        node = _node(raw, f"{where}nodes.{index}", faults)
        if node is None:
            continue
        if node.id in nodes:
            faults.add(f"{where}nodes.{index}.id", f"Two nodes have the id {node.id}.")
        nodes[node.id] = node
    links: dict[str, Link] = {}
    raw_links = value.get("links")
    listed = list(json_object(raw_links).values()) or json_list(raw_links)
    for index, raw in enumerate(listed):
        if raw is None:  # the editor leaves holes where links were
            continue
        link = _link(raw)
        if link is None:
            faults.add(f"{where}links.{index}", "A link is [id, node, slot, node, slot, type].")
        else:
            links[link[0]] = link[1]
    return Canvas(nodes, links)


def _node(raw: Any, where: str, faults: _Faults) -> UiNode | None:
    value = json_object(raw)
    node_id, kind, mode = _id(value.get("id")), value.get("type"), value.get("mode", 0)
    if node_id is None:
        faults.add(f"{where}.id", "A node needs a number or a short text as id.")
        return None
    if not isinstance(kind, str) or not kind or len(kind) > MAX_TYPE_LENGTH:
        faults.add(f"{where}.type", "A node needs the name of its class as type.")
        return None
    stored = value.get("widgets_values")
    title = value.get("title")
    return UiNode(
        node_id,
        kind,
        mode if isinstance(mode, int) else 0,
        title if isinstance(title, str) and title else None,
        _slots(value.get("inputs"), f"{where}.inputs", faults),
        _slots(value.get("outputs"), f"{where}.outputs", faults),
        cast(dict[str, Any], stored) if isinstance(stored, dict) else json_list(stored),
        json_object(value.get("properties")),
    )


def _slots(raw: Any, where: str, faults: _Faults) -> tuple[Slot, ...]:
    slots: list[Slot] = []
    for index, item in enumerate(json_list(raw)):
        value = json_object(item)
        name = value.get("name")
        if not isinstance(name, str):
            faults.add(f"{where}.{index}.name", "An input or output needs a name.")
            continue
        # An output's own list says nothing that the links do not.
        ids = [value["link"]] if value.get("link") is not None else json_list(value.get("linkIds"))
        links = tuple(i for i in map(_id, ids) if i)
        widget = json_object(value.get("widget")).get("name")
        slots.append(
            Slot(name, _type(value.get("type")), links, widget if isinstance(widget, str) else None)
        )
    return tuple(slots)


def _type(raw: Any) -> str:
    # Old files give a combo's choices for its type.
    return "COMBO" if isinstance(raw, list) else str(raw)[:MAX_TYPE_LENGTH]


def _link(raw: Any) -> tuple[str, Link] | None:
    value = json_list(raw)
    if isinstance(raw, dict):
        value = [cast(Json, raw).get(name) for name in _LINK_NAMES]
    if len(value) < len(_LINK_NAMES):
        return None
    link_id, origin, target = _id(value[0]), _id(value[1]), _id(value[3])
    origin_slot, target_slot = value[2], value[4]
    if link_id is None or origin is None or target is None:
        return None
    if not isinstance(origin_slot, int) or not isinstance(target_slot, int):
        return None
    return link_id, Link(origin, origin_slot, target, target_slot)


def _id(raw: Any) -> str | None:
    """Numbers and texts are the same id: files mix them."""
    match raw:
        case bool():
            return None
        case int() if abs(raw) < 10**MAX_ID_LENGTH:
            return str(raw)
        case str() if 0 < len(raw) <= MAX_ID_LENGTH:
            return raw
        case _:
            return None
