"""Which node runs next. Order as seen in the captures: outputs as early as they can be had."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comfy_images.engine.graph import links

if TYPE_CHECKING:
    from collections.abc import Collection

    from comfy_images.engine.graph import Prompt
    from comfy_images.engine.registry import NodeRegistry


@dataclass(frozen=True, slots=True)
class Schedule:
    """The nodes still to run. Cached ones are left out, except outputs, whose result is resent."""

    outputs: frozenset[str]
    needs: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    feeds: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    @classmethod
    def of(
        cls,
        prompt: Prompt,
        registry: NodeRegistry,
        outputs: list[str],
        cached: Collection[str],
    ) -> Schedule:
        schedule = cls(frozenset(n for n in prompt if registry[prompt[n]["class_type"]].is_output))
        for output in outputs:
            stack = [output]
            while stack:
                node_id = stack.pop()
                if node_id in schedule.needs:
                    continue
                found = () if node_id in cached else links(prompt, registry, node_id)
                needed = [source for _, source, _ in found if source not in cached]
                schedule.needs[node_id] = set(needed)
                for source in needed:
                    schedule.feeds.setdefault(source, set()).add(node_id)
                stack.extend(needed)
        return schedule

    def next(self) -> str | None:
        """Take the next node, None when all have run. Call `done` before asking again."""
        ready = [node_id for node_id, needs in self.needs.items() if not needs]
        return min(ready, key=self._distance_to_output, default=None)

    def done(self, node_id: str) -> None:
        del self.needs[node_id]
        for fed in self.feeds.get(node_id, ()):
            self.needs[fed].discard(node_id)

    def _distance_to_output(self, node_id: str) -> int:
        """0: an output; 1: feeds one; 2: feeds a node that feeds one; 3: further away.

        Ties keep the order of discovery, since `min` takes the first.
        """
        if node_id in self.outputs:
            return 0
        fed = self.feeds.get(node_id, set())
        if fed & self.outputs:
            return 1
        return 2 if any(self.feeds.get(n, set()) & self.outputs for n in fed) else 3
