"""The execution host of one running node: its progress goes out, an interrupt comes in."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comfy_images.engine.host import InterruptedExecutionError

if TYPE_CHECKING:
    from PIL.Image import Image

    from comfy_images.engine.execution.reporter import Reporter


@dataclass(slots=True)
class Interrupt:
    """Which prompt is to stop. Aimed by POST /interrupt, used up when it acts.

    It names its prompt, so that one that comes late cannot hit the prompt that follows.
    """

    _prompt_id: str | None = None

    def aim(self, prompt_id: str) -> None:
        self._prompt_id = prompt_id

    def clear(self) -> None:
        self._prompt_id = None

    def raise_if_aimed_at(self, prompt_id: str) -> None:
        """Return unless `prompt_id` is to stop.

        Raises:
            InterruptedExecutionError: It is; from now on it no longer is.
        """
        if self._prompt_id == prompt_id:
            self.clear()
            raise InterruptedExecutionError


@dataclass(frozen=True, slots=True)
class RunningNode:
    """Implements `ExecutionHost` for one call of one node."""

    node_id: str
    call_index: int
    reporter: Reporter
    interrupt: Interrupt
    subgraphs: Iterator[int] = field(default_factory=itertools.count)

    def progress(self, value: int, total: int, preview: Image | None = None) -> None:
        self.check_interrupt()
        self.reporter.step(self.node_id, min(value, total), total, preview)

    def progress_text(self, text: str, node_id: str | None = None) -> None:
        self.reporter.text(node_id or self.node_id, text)

    def check_interrupt(self) -> None:
        self.interrupt.raise_if_aimed_at(self.reporter.item.prompt_id)

    def subgraph_prefix(self) -> str:
        return f"{self.node_id}.{self.call_index}.{next(self.subgraphs)}."
