"""Group nodes, what editors had before subgraphs: each is read as a subgraph of its own. Pure.

A group's nodes and links stand once in `extra.groupNodes`; an instance (`workflow>name`) keeps the values
of all its widgets in one list, node after node. Its inputs and outputs are those of the nodes inside
that nothing inside is linked to.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from app.workflows.convert.document import (
    Canvas,
    Document,
    Json,
    Link,
    Slot,
    Subgraph,
    UiNode,
    json_list,
    json_object,
    node_from,
)
from app.workflows.convert.expand import MAX_NODES, MAX_SLOTS, too_many_nodes
from app.workflows.convert.virtual import PRIMITIVE
from app.workflows.convert.widgets import NodeClass, take_values

_PREFIXES: Final = ("workflow>", "workflow/")
_IN, _OUT = "-10", "-20"


def without_groups(document: Document, object_info: Mapping[str, Any]) -> Document:
    """With a subgraph for each instance of a group.

    Raises:
        ConversionRefusedError: `too_many_nodes`.
    """
    groups = json_object(document.extra.get("groupNodes"))
    if not groups:
        return document
    opener = _Opener(groups, object_info, dict(document.subgraphs))
    root = opener.opened(document.root, "")
    for key, subgraph in document.subgraphs.items():
        opener.subgraphs[key] = replace(subgraph, canvas=opener.opened(subgraph.canvas, key))
    return replace(document, root=root, subgraphs=opener.subgraphs)


class _End(NamedTuple):
    """An input or output of a node inside, by position."""

    node: UiNode
    place: int
    slot: Slot

    def names(self) -> tuple[str, str]:
        """What the editor calls it: with the node's name where two would be the same."""
        return self.slot.name, f"{self.node.title or self.node.type} {self.slot.name}"


@dataclass(slots=True)
class _Opener:
    groups: Json
    object_info: Mapping[str, Any]
    subgraphs: dict[str, Subgraph]
    classes: dict[str, NodeClass] = field(default_factory=dict[str, NodeClass])
    nodes: int = 0
    links: int = 0

    def opened(self, canvas: Canvas, where: str) -> Canvas:
        """The canvas with its groups' instances turned into instances of subgraphs."""
        nodes = dict(canvas.nodes)
        for node in canvas.nodes.values():
            group = json_object(self.groups.get(_name_of(node) or ""))
            if group:
                key = f"{where}/{node.id} {node.type}"
                self.subgraphs[key] = self._subgraph(key, group, node)
                nodes[node.id] = replace(node, type=key, values=[])
        return replace(canvas, nodes=nodes)

    def _subgraph(self, key: str, group: Json, instance: UiNode) -> Subgraph:
        inside = self._nodes(group, instance)  # counts first, so that little is done in vain
        links = _links_inside(group)
        fed = {(link.target, link.target_slot) for link in links}
        taken = {(link.origin, link.origin_slot) for link in links}
        taken -= {(str(e[0]), e[1]) for e in _lists(group.get("external"), 2)}
        free = [
            _End(node, i, slot)
            for node in inside
            for i, slot in enumerate(node.inputs)
            if (node.id, i) not in fed and slot.widget is None
        ]
        given = [
            _End(node, i, slot)
            for node in inside
            for i, slot in enumerate(node.outputs)
            if (node.id, i) not in taken
        ]
        inputs = list(_paired([s for s in instance.inputs if s.widget is None], free))
        outputs = list(_paired(instance.outputs, given))
        links += [Link(_IN, i, end.node.id, end.place) for i, (_, end) in enumerate(inputs)]
        links += [Link(end.node.id, end.place, _OUT, i) for i, (_, end) in enumerate(outputs)]
        into = {(link.target, link.target_slot): str(i) for i, link in enumerate(links)}
        return Subgraph(
            key,
            instance.type,
            Canvas(
                {node.id: _linked(node, into) for node in inside},
                {str(i): link for i, link in enumerate(links)},
            ),
            tuple(
                slot._replace(links=(into[end.node.id, end.place],), widget=None)
                for slot, end in inputs
            ),
            tuple(slot._replace(links=(into[_OUT, i],)) for i, (slot, _) in enumerate(outputs)),
            _IN,
            _OUT,
        )

    def _nodes(self, group: Json, instance: UiNode) -> list[UiNode]:
        """The nodes inside, by position, each with its share of the instance's values."""
        raw = json_list(group.get("nodes"))
        self.nodes += len(raw)
        self.links += len(json_list(group.get("links")))
        if self.nodes > MAX_NODES or self.links > MAX_SLOTS:
            raise too_many_nodes()
        stored = iter(instance.values if isinstance(instance.values, list) else [])
        found = (node_from({**json_object(each), "id": index}) for index, each in enumerate(raw))
        return [self._valued(node, stored) for node in found if node is not None]

    def _valued(self, node: UiNode, stored: Iterator[Any]) -> UiNode:
        if node.type == PRIMITIVE:
            own = node.values if isinstance(node.values, list) else []
            return replace(node, values=[next(stored, value) for value in own])
        if node.type not in self.classes:
            self.classes[node.type] = NodeClass.of(node.type, self.object_info.get(node.type))
        return replace(node, values=take_values(node, self.classes[node.type], stored))


def _name_of(node: UiNode) -> str | None:
    for prefix in _PREFIXES:
        if node.type.startswith(prefix):
            return node.type.removeprefix(prefix)
    return None


def _links_inside(group: Json) -> list[Link]:
    return [
        Link(str(raw[0]), raw[1], str(raw[2]), raw[3])
        for raw in _lists(group.get("links"), 4)
        if isinstance(raw[1], int) and isinstance(raw[3], int)
    ]


def _lists(value: Any, size: int) -> Iterable[list[Any]]:
    return (each for each in map(json_list, json_list(value)) if len(each) >= size)


def _paired(slots: Iterable[Slot], ends: list[_End]) -> Iterator[tuple[Slot, _End]]:
    """By position where there are as many, else by name."""
    listed = list(slots)
    if len(listed) == len(ends):
        yield from zip(listed, ends, strict=True)
        return
    by_name: dict[str, _End] = {}
    for end in ends:
        for name in end.names():
            by_name.setdefault(name, end)
    for slot in listed:
        if slot.name in by_name:
            yield slot, by_name[slot.name]


def _linked(node: UiNode, into: Mapping[tuple[str, int], str]) -> UiNode:
    inputs = tuple(
        slot._replace(links=(into[node.id, i],) if (node.id, i) in into else ())
        for i, slot in enumerate(node.inputs)
    )
    return replace(node, inputs=inputs)
