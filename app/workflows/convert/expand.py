"""Subgraphs opened up: every canvas that runs, with the instance it stands for. Pure and bounded.

An instance's nodes are named by its path: `102:3` is node 3 of the subgraph that node 102 stands for
(facts/comfyui-protocol.md §6). A file of a few bytes can describe billions of nodes by subgraphs in
subgraphs, so they are counted while they are opened.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Self

from app.workflows.convert.document import Canvas, Document, Slot, Subgraph, UiNode
from app.workflows.convert.refusal import ConversionRefusedError

MAX_NODES: Final = 10_000
"""Of all open canvases together; the largest templates have 300."""
MAX_SLOTS: Final = 100_000
"""Inputs of all those nodes, and of the subgraphs; the largest templates have 3,000."""
MAX_DEPTH: Final = 32
"""Subgraphs in subgraphs."""

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Instance:
    """What a canvas stands for: a node of the canvas around it."""

    subgraph: Subgraph
    node: UiNode
    outside: "Scope"
    inputs: Mapping[int, Slot]
    """The instance's own, by the position of the subgraph's."""
    outputs: Mapping[int, Slot]
    """The subgraph's, by the position of the instance's."""

    @classmethod
    def of(cls, subgraph: Subgraph, node: UiNode, outside: "Scope") -> Self:
        """Match what the instance shows with what the subgraph has: newer editors list only some."""
        inputs = _matched(subgraph.inputs, node.inputs)
        return cls(subgraph, node, outside, inputs, _matched(node.outputs, subgraph.outputs))


@dataclass(frozen=True, slots=True)
class Scope:
    """One open canvas."""

    path: Path
    canvas: Canvas
    instance: Instance | None

    def id_of(self, node: UiNode) -> str:
        """The node's id in the graph."""
        return ":".join((*self.path, node.id))


def expand(document: Document) -> dict[Path, Scope]:
    """All canvases that run, by path; muted and bypassed instances stay closed.

    Raises:
        ConversionRefusedError: `too_many_nodes`, `subgraph_cycle`, `subgraphs_too_deep`.
    """
    subgraphs = document.subgraphs
    root = Scope((), document.root, None)
    scopes: dict[Path, Scope] = {}
    todo = [root]
    nodes = slots = 0
    while todo:
        scope = todo.pop()
        scopes[scope.path] = scope
        nodes += len(scope.canvas.nodes)
        slots += sum(len(node.inputs) for node in scope.canvas.nodes.values())
        slots += sum(len(subgraphs[n.type].inputs) for n in _instances(scope, subgraphs))
        if nodes > MAX_NODES or slots > MAX_SLOTS:
            raise too_many_nodes()
        todo.extend(_inside(scope, subgraphs))
    return scopes


def depth_first(scopes: Mapping[Path, Scope], path: Path = ()) -> Iterator[UiNode]:
    """All nodes, those of an instance behind it."""
    for node in scopes[path].canvas.nodes.values():
        yield node
        if (*path, node.id) in scopes:
            yield from depth_first(scopes, (*path, node.id))


def too_many_nodes() -> ConversionRefusedError:
    """Says the limit."""
    return ConversionRefusedError(
        "too_many_nodes",
        f"The workflow has more than {MAX_NODES} nodes, or {MAX_SLOTS} inputs of nodes, when its "
        "subgraphs are opened.",
        {"max_nodes": MAX_NODES, "max_inputs": MAX_SLOTS},
    )


def _inside(scope: Scope, subgraphs: Mapping[str, Subgraph]) -> Iterator[Scope]:
    for node in _instances(scope, subgraphs):
        subgraph = subgraphs[node.type]
        if subgraph.id in _around(scope):
            raise ConversionRefusedError(
                "subgraph_cycle", f"The subgraph {subgraph.name!r} contains itself."
            )
        if len(scope.path) >= MAX_DEPTH:
            raise ConversionRefusedError(
                "subgraphs_too_deep", f"Subgraphs are nested deeper than {MAX_DEPTH} levels."
            )
        yield Scope((*scope.path, node.id), subgraph.canvas, Instance.of(subgraph, node, scope))


def _instances(scope: Scope, subgraphs: Mapping[str, Subgraph]) -> Iterator[UiNode]:
    return (n for n in scope.canvas.nodes.values() if n.type in subgraphs and n.runs)


def _around(scope: Scope) -> Iterator[str]:
    instance = scope.instance
    while instance is not None:
        yield instance.subgraph.id
        instance = instance.outside.instance


def _matched(slots: tuple[Slot, ...], others: tuple[Slot, ...]) -> dict[int, Slot]:
    """For each place the slot of the same name, else of the same place where there are as many."""
    by_name = {other.name: other for other in reversed(others)}
    by_place = dict(enumerate(others)) if len(slots) == len(others) else {}
    found = {i: by_name.get(slot.name, by_place.get(i)) for i, slot in enumerate(slots)}
    return {i: slot for i, slot in found.items() if slot is not None}
