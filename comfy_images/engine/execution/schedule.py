"""Which node runs next. Order as seen in the captures: outputs as early as they can be had."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comfy_images.engine.graph import CycleError, links

if TYPE_CHECKING:
    from collections.abc import Iterable

    from comfy_images.engine.graph import Prompt
    from comfy_images.engine.registry import NodeRegistry


@dataclass(frozen=True, slots=True)
class Schedule:
    """The nodes still to run, and what each of them waits for.

    `available`: nodes whose results are known. Only outputs among them are scheduled, to be resent.
    """

    prompt: Prompt
    registry: NodeRegistry
    available: set[str]
    needs: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    feeds: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    found: dict[str, int] = field(default_factory=dict[str, int])
    ready: set[str] = field(default_factory=set[str])
    heap: list[tuple[int, int, str]] = field(default_factory=list[tuple[int, int, str]])
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def add(self, outputs: Iterable[str]) -> None:
        """Schedule nodes and all they need."""
        new = [node_id for output in outputs for node_id in self._discover(output)]
        # Offered only now: how near a node is to an output depends on all of them.
        for node_id in new:
            self._offer_if_ready(node_id)

    def require(self, node_id: str, sources: Iterable[str]) -> None:
        """Let a node that was taken wait for more; it comes again when they are done."""
        missing = [source for source in sources if source not in self.available]
        self.needs[node_id].update(missing)
        for source in missing:
            self.feeds.setdefault(source, set()).add(node_id)
        self.add(missing)
        self._offer_if_ready(node_id)

    def resume(self, node_id: str) -> None:
        """Offer again a node that was taken and could not end."""
        self._offer_if_ready(node_id)

    def next(self) -> str | None:
        """Take the next node, None if none can run now. It stays scheduled until `done`."""
        while self.heap:
            node_id = heapq.heappop(self.heap)[2]
            if node_id in self.ready:
                self.ready.remove(node_id)
                return node_id
        return None

    def done(self, node_id: str) -> None:
        del self.needs[node_id]
        self.available.add(node_id)
        for fed in self.feeds.get(node_id, ()):
            if node_id in self.needs.get(fed, ()):
                self.needs[fed].remove(node_id)
                self._offer_if_ready(fed)

    def raise_if_stuck(self) -> None:
        """Return if everything has run.

        Raises:
            CycleError: Nodes wait for one another: subgraphs can close a circle.
        """
        if self.needs:
            raise CycleError(next(iter(self.needs)))

    def _discover(self, output: str) -> Iterator[str]:
        stack = [output]
        while stack:
            node_id = stack.pop()
            if node_id in self.needs:
                continue
            needed = self._sources(node_id)
            self.needs[node_id] = set(needed)
            self.found[node_id] = next(self.numbers)
            for source in needed:
                self.feeds.setdefault(source, set()).add(node_id)
            stack.extend(needed)
            yield node_id

    def _sources(self, node_id: str) -> list[str]:
        if node_id in self.available:
            return []
        lazy = self.registry[self.prompt[node_id]["class_type"]].lazy_names
        found = links(self.prompt, self.registry, node_id)
        return [s for name, s, _ in found if name not in lazy and s not in self.available]

    def _offer_if_ready(self, node_id: str) -> None:
        if not self.needs[node_id]:
            self.ready.add(node_id)
            entry = (self._distance_to_output(node_id), self.found[node_id], node_id)
            heapq.heappush(self.heap, entry)

    def _distance_to_output(self, node_id: str) -> int:
        """0: an output, or one that others need not wait for; 1: feeds one; 2: feeds a node that does.

        3: further away. Ties keep the order of discovery.
        """
        if self._is_output(node_id) or self.registry[self.prompt[node_id]["class_type"]].is_async:
            return 0
        fed = self.feeds.get(node_id, set())
        if any(map(self._is_output, fed)):
            return 1
        return 2 if any(self._is_output(n) for f in fed for n in self.feeds.get(f, ())) else 3

    def _is_output(self, node_id: str) -> bool:
        return self.registry[self.prompt[node_id]["class_type"]].is_output
