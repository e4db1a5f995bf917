"""What a node may return instead of a value: other nodes that stand for it, or a blocker."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from comfy_images.engine.host import current


@dataclass(frozen=True, slots=True)
class ExecutionBlocker:
    """In an output slot: nothing that depends on it runs. With a message the client is told why."""

    message: str | None


@dataclass(frozen=True, slots=True)
class InnerNode:
    """One node of a subgraph under construction."""

    node_id: str
    class_type: str
    inputs: dict[str, Any]

    def out(self, slot: int) -> list[Any]:
        """A link to one of its outputs."""
        return [self.node_id, slot]


class SubgraphBuilder:
    """Builds what a node returns as `expand`; only inside a running node.

    Ids are ComfyUI's: `1.0.0.2` is the second node of the first subgraph that the first call of
    node 1 made (sheet §2).
    """

    def __init__(self) -> None:
        host = current()
        if host is None:
            raise RuntimeError("a subgraph is built while its node runs")
        self._prefix = host.subgraph_prefix()
        self._numbers = itertools.count(1)
        self._nodes: list[InnerNode] = []

    def node(self, class_type: str, **inputs: Any) -> InnerNode:
        """Add a node."""
        node = InnerNode(f"{self._prefix}{next(self._numbers)}", class_type, inputs)
        self._nodes.append(node)
        return node

    def finalize(self) -> dict[str, Any]:
        """The graph in API format."""
        return {
            node.node_id: {"class_type": node.class_type, "inputs": node.inputs}
            for node in self._nodes
        }
