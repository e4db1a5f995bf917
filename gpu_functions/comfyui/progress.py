"""How far a run is: nodes weighted by the steps they announce in the graph."""

from dataclasses import dataclass, field
from typing import Self

from gpu_functions.comfyui.lenient import as_dict
from gpu_functions.contract import Graph, Progress

_MOST_STEPS = 1_000


@dataclass(slots=True)
class ProgressTracker:
    """Follows the events of one run. A node with `steps: 20` weighs as much as 21 others."""

    classes: dict[str, str]
    weights: dict[str, float]
    _total: float = field(init=False)
    _done: set[str] = field(default_factory=set[str])
    _done_weight: float = 0.0
    current: str | None = None
    _step: int | None = None
    _steps: int | None = None
    _value: float = 0.0

    def __post_init__(self) -> None:
        self._total = sum(self.weights.values()) or 1.0

    @classmethod
    def of(cls, graph: Graph) -> Self:
        """A tracker for this graph, nothing done."""
        nodes = {node_id: as_dict(node) for node_id, node in graph.items()}
        return cls(
            classes={node_id: str(node.get("class_type")) for node_id, node in nodes.items()},
            weights={
                node_id: 1.0 + _announced_steps(as_dict(node.get("inputs")).get("steps"))
                for node_id, node in nodes.items()
            },
        )

    def cached(self, node_ids: list[str]) -> None:
        """These nodes need not run."""
        for node_id in node_ids:
            self._done_with(node_id)

    def started(self, node_id: str) -> None:
        """A node runs; ComfyUI runs one at a time, so the one before is done."""
        node_id = outer(node_id)
        if self.current not in (None, node_id):
            self.finished(self.current or "")
        self.current, self._step, self._steps = node_id, None, None

    def finished(self, node_id: str) -> None:
        """A node is done."""
        self._done_with(outer(node_id))

    def _done_with(self, node_id: str) -> None:
        if node_id in self.weights and node_id not in self._done:
            self._done.add(node_id)
            self._done_weight += self.weights[node_id]

    def stepped(self, node_id: str, step: float, steps: float) -> None:
        """A node moved its progress bar."""
        if steps <= 0:
            return
        self.current = outer(node_id)
        self._step, self._steps = int(step), int(steps)

    def snapshot(self) -> Progress:
        """The whole of it; never less than an earlier one. Costs the same for any number of nodes."""
        done = self._done_weight
        if self.current in self.weights and self.current not in self._done and self._steps:
            fraction = min(1.0, (self._step or 0) / self._steps)
            done += fraction * self.weights[self.current]
        self._value = max(self._value, min(1.0, done / self._total))
        return Progress(
            value=self._value,
            nodes_done=len(self._done),
            nodes_total=len(self.weights),
            current_node=self.current,
            current_node_class=self.classes.get(self.current or ""),
            step=self._step,
            steps=self._steps,
        )


def outer(node_id: str) -> str:
    """The node of the graph that an expanded one (`"1.0.0.2"`) belongs to."""
    return node_id.partition(".")[0]


def _announced_steps(steps: object) -> float:
    if isinstance(steps, bool) or not isinstance(steps, int | float):
        return 0.0
    return float(min(max(steps, 0), _MOST_STEPS))
