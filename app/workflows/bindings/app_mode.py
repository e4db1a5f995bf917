"""Reads what an author picked in ComfyUI's App mode. Pure.

The editor saves it inside the workflow: `extra.linearData = {"inputs": [[id, widget, config?]],
"outputs": [id]}` (facts/web-app.md §1). An id is that of a node, as a number or a text; since
frontend 1.47 also `"<graph uuid>:<node id>:<widget>"`, its parts percent-encoded. A pick of a promoted widget
names the subgraph's node, or the node inside; in the graph the ids of nodes inside are `"102:3"`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import unquote

from app.workflows.bindings.models import MAX_NODE_ID_LENGTH, Target
from app.workflows.bindings.view import target_of
from app.workflows.graph import Graph, is_link

_WIDGET_ID: Final = re.compile(
    r"^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([^:]+):([^:]+)$", re.I
)
_SUBGRAPH_INPUT: Final = -10
"""The node that stands for the inputs of a subgraph, inside it (facts/comfyui-protocol.md §6)."""
MAX_PICKS: Final = 200
MAX_STEPS: Final = 2_000
"""Subgraphs looked into for all picks of one workflow: they may hold each other, and themselves."""

_Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AppPick:
    """One input of the app."""

    targets: tuple[Target, ...]
    widget: str
    help: str


def app_inputs(ui: _Json | None, graph: Graph) -> list[AppPick]:
    """The picks that lead to plain values of the graph, in the author's order."""
    document = _Document.read(ui)
    picks: list[AppPick] = []
    for entry in _list(_linear_data(ui).get("inputs"))[:MAX_PICKS]:
        parts = _list(entry) or [entry]
        found = document.targets(parts[0], parts[1] if len(parts) > 1 else None)
        targets = tuple(t for t in found if _is_plain(graph, t))
        help_ = _dict(parts[2] if len(parts) > 2 else None).get("description")
        if targets:
            picks.append(
                AppPick(targets, targets[0].input, help_ if isinstance(help_, str) else "")
            )
    return picks


def app_outputs(ui: _Json | None, graph: Graph) -> list[str]:
    """The nodes picked as outputs."""
    wanted = [_node_id(entry) for entry in _list(_linear_data(ui).get("outputs"))[:MAX_PICKS]]
    return [node_id for node_id in dict.fromkeys(wanted) if node_id in graph]


def _is_plain(graph: Graph, target: Target) -> bool:
    node = graph.get(target.node_id)
    return (
        node is not None
        and target.input in node["inputs"]
        and not is_link(node["inputs"][target.input])
    )


@dataclass(frozen=True, slots=True)
class _Document:
    """A workflow as the editor saves it, as far as picks need it."""

    root: _Json
    subgraphs: Mapping[str, _Json]
    steps: Iterator[int]

    @classmethod
    def read(cls, ui: _Json | None) -> "_Document":
        found = _list(_dict(_dict(ui).get("definitions")).get("subgraphs"))
        subgraphs = {str(_dict(s).get("id")): _dict(s) for s in found}
        return cls(_dict(ui), subgraphs, iter(range(MAX_STEPS)))

    def targets(self, pick: Any, widget: Any) -> list[Target]:
        """The fields a pick stands for; those of another document are not found in the graph."""
        whole = _WIDGET_ID.match(pick) if isinstance(pick, str) else None
        node_id, name = _node_id(pick), unquote(whole[3]) if whole else widget
        if whole and whole[1] in self.subgraphs:
            return list(self._inside(whole[1], node_id, name))
        if _node(self.root, node_id):
            return list(self._field(self.root, "", node_id, name))
        # Of a promoted widget older frontends keep the node inside, and not which subgraph it is in.
        for subgraph, content in self.subgraphs.items():
            if _node(content, node_id) and (found := list(self._inside(subgraph, node_id, name))):
                return found
        return []

    def _inside(self, subgraph: str, node_id: str, widget: Any) -> Iterator[Target]:
        for prefix in self._instances(self.root, subgraph, ""):
            yield from self._field(self.subgraphs[subgraph], prefix, node_id, widget)

    def _instances(self, graph: _Json, wanted: str, prefix: str) -> Iterator[str]:
        """The prefixes of ids inside every instance of a subgraph."""
        if next(self.steps, None) is None:
            return
        for node in _nodes(graph):
            kind = str(node.get("type"))
            if kind in self.subgraphs and len(prefix) < MAX_NODE_ID_LENGTH:
                inner = f"{prefix}{node.get('id')}:"
                if kind == wanted:
                    yield inner
                yield from self._instances(self.subgraphs[kind], wanted, inner)

    def _field(self, graph: _Json, prefix: str, node_id: str, widget: Any) -> Iterator[Target]:
        """The fields of the graph that a widget sets; ids of the graph have an end, and so has this."""
        ends = next(self.steps, None) is None or len(prefix) >= MAX_NODE_ID_LENGTH
        if ends or not isinstance(widget, str) or not widget or not node_id:
            return
        kind = str(_node(graph, node_id).get("type"))
        if kind in self.subgraphs:
            inside = self.subgraphs[kind]
            for inner_id, inner in _promoted(inside, _node(graph, node_id), widget):
                yield from self._field(inside, f"{prefix}{node_id}:", inner_id, inner)
        elif kind == "PrimitiveNode":
            # Only the editor has it: its value stands in the fields it feeds.
            for fed_id, fed in _fed_by(graph, node_id):
                if _node(graph, fed_id).get("type") != "PrimitiveNode":
                    yield from self._field(graph, prefix, fed_id, fed)
        else:
            yield target_of(f"{prefix}{node_id}", widget)


def _promoted(subgraph: _Json, instance: _Json, widget: str) -> Iterator[tuple[str, str]]:
    """Node and field inside that a promoted widget sets."""
    slots = [
        index
        for index, slot in enumerate(map(_dict, _list(subgraph.get("inputs"))))
        if widget in (slot.get("name"), slot.get("label"))
    ]
    for origin, slot, target, target_slot in _links(subgraph):
        if origin == str(_SUBGRAPH_INPUT) and slot in slots:
            yield from _slot_name(subgraph, target, target_slot)
    for pair in map(_list, _list(_dict(instance.get("properties")).get("proxyWidgets"))):
        if len(pair) == 2 and widget == pair[1]:
            yield str(pair[0]), widget


def _fed_by(graph: _Json, node_id: str) -> Iterator[tuple[str, str]]:
    for origin, _, target, target_slot in _links(graph):
        if origin == node_id:
            yield from _slot_name(graph, target, target_slot)


def _slot_name(graph: _Json, node_id: str, slot: Any) -> Iterator[tuple[str, str]]:
    node = _node(graph, node_id)
    inputs = _list(node.get("inputs"))
    if isinstance(slot, int) and 0 <= slot < len(inputs):
        name = _dict(inputs[slot]).get("name")
        if isinstance(name, str):
            yield node_id, name


def _links(graph: _Json) -> Iterator[tuple[str, Any, str, Any]]:
    """Origin, its slot, target, its slot: an array in a workflow, an object in a subgraph."""
    for link in _list(graph.get("links")):
        if isinstance(link, list) and len(cast(list[Any], link)) >= 5:
            _, origin, slot, target, target_slot, *_ = cast(list[Any], link)
            yield str(origin), slot, str(target), target_slot
        elif isinstance(link, dict):
            one = _dict(link)
            yield (
                str(one.get("origin_id")),
                one.get("origin_slot"),
                str(one.get("target_id")),
                one.get("target_slot"),
            )


def _linear_data(ui: _Json | None) -> _Json:
    return _dict(_dict(_dict(ui).get("extra")).get("linearData"))


def _node_id(value: Any) -> str:
    whole = _WIDGET_ID.match(value) if isinstance(value, str) else None
    if whole:
        return unquote(whole[2])
    return str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""


def _node(graph: _Json, node_id: str) -> _Json:
    return next((node for node in _nodes(graph) if str(node.get("id")) == node_id), _dict(None))


def _nodes(graph: _Json) -> list[_Json]:
    return [_dict(node) for node in _list(graph.get("nodes"))]


def _dict(value: Any) -> _Json:
    return cast(_Json, value) if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else []
