"""Which nodes came out of which: a node that expands is shown in place of those it becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_images.engine.node_type import JsonObject


@dataclass(frozen=True, slots=True)
class Family:
    """The parents of the inner nodes of one prompt; nodes that the client sent have none."""

    parents: dict[str, str] = field(default_factory=dict[str, str])

    def adopt(self, parent: str, node_id: str) -> None:
        self.parents[node_id] = parent

    def real(self, node_id: str) -> str:
        """The node of the client's prompt that this one stands in for."""
        while node_id in self.parents:
            node_id = self.parents[node_id]
        return node_id

    def names(self, node_id: str, prompt_id: str) -> JsonObject:
        """The ids that say which node an event is about."""
        real = self.real(node_id)
        return {
            "node_id": node_id,
            "prompt_id": prompt_id,
            "display_node_id": real,
            "parent_node_id": self.parents.get(node_id),
            "real_node_id": real,
        }

    def meta(self, node_id: str) -> JsonObject:
        """The same ids as the history spells them."""
        real = self.real(node_id)
        return {
            "node_id": node_id,
            "display_node": real,
            "parent_node": self.parents.get(node_id),
            "real_node_id": real,
        }
