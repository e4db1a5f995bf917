"""How far each node of the running prompt is: the body of `progress_state` (sheet §2).

ComfyUI repeats every started node in each of these events, O(n²) over a prompt. Each node is
written as JSON when it changes and only joined for an event: 400 nodes in a chain, 32 MB of frames,
are then a matter of copying.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from comfy_images.engine.execution.family import Family


@dataclass(frozen=True, slots=True)
class ProgressBoard:
    """The started nodes by id, in order of their start."""

    prompt_id: str
    family: Family = field(default_factory=Family)
    totals: dict[str, float] = field(default_factory=dict[str, float])
    texts: dict[str, str] = field(default_factory=dict[str, str])

    def start(self, node_id: str) -> None:
        self._set(node_id, 0.0, 1.0, "running")

    def update(self, node_id: str, value: int, total: int) -> None:
        self._set(node_id, value, total, "running")

    def finish(self, node_id: str) -> None:
        """A cached node that never started counts as 1 of 1; others stand at their last total."""
        total = self.totals.get(node_id, 1)
        self._set(node_id, total, total, "finished")

    def as_text(self) -> str:
        """The body as JSON."""
        nodes = ", ".join(self.texts.values())
        return f'{{"prompt_id": {json.dumps(self.prompt_id)}, "nodes": {{{nodes}}}}}'

    def _set(self, node_id: str, value: float, total: float, state: str) -> None:
        state_of_node = {
            "value": value,
            "max": total,
            "state": state,
            **self.family.names(node_id, self.prompt_id),
        }
        self.totals[node_id] = total
        self.texts[node_id] = f"{json.dumps(node_id)}: {json.dumps(state_of_node)}"
