"""How far each node of the running prompt is: the body of `progress_state` (sheet §2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comfy_images.engine.node_type import JsonObject


@dataclass(frozen=True, slots=True)
class ProgressBoard:
    """The started nodes by id, in order of their start."""

    prompt_id: str
    nodes: dict[str, JsonObject] = field(default_factory=dict[str, Any])

    def start(self, node_id: str) -> None:
        self._set(node_id, 0.0, 1.0, "running")

    def update(self, node_id: str, value: int, total: int) -> None:
        self._set(node_id, value, total, "running")

    def finish(self, node_id: str) -> None:
        """A cached node that never started counts as 1 of 1; others stand at their last total."""
        total = self.nodes[node_id]["max"] if node_id in self.nodes else 1
        self._set(node_id, total, total, "finished")

    def as_json(self) -> JsonObject:
        return {"prompt_id": self.prompt_id, "nodes": self.nodes}

    def _set(self, node_id: str, value: float, total: float, state: str) -> None:
        self.nodes[node_id] = {
            "value": value,
            "max": total,
            "state": state,
            **node_names(node_id, self.prompt_id),
        }


def node_names(node_id: str, prompt_id: str) -> JsonObject:
    """The ids that say which node an event is about; all the same without subgraphs."""
    return {
        "node_id": node_id,
        "prompt_id": prompt_id,
        "display_node_id": node_id,
        "parent_node_id": None,
        "real_node_id": node_id,
    }
