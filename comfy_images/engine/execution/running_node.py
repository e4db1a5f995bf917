"""The execution host of one running node: its progress goes out, an interrupt comes in."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comfy_images.engine.host import InterruptedExecutionError

if TYPE_CHECKING:
    from PIL.Image import Image

    from comfy_images.engine.execution.reporter import Reporter


@dataclass(frozen=True, slots=True)
class InterruptFlag:
    """Set by POST /interrupt, forgotten when a prompt starts (sheet §1), used up when it acts."""

    _event: threading.Event = field(default_factory=threading.Event)

    def set(self) -> None:
        self._event.set()

    def clear(self) -> None:
        self._event.clear()

    def raise_if_set(self) -> None:
        """Return unless set.

        Raises:
            InterruptedExecutionError: It was set; it no longer is.
        """
        if self._event.is_set():
            self._event.clear()
            raise InterruptedExecutionError


@dataclass(frozen=True, slots=True)
class RunningNode:
    """Implements `ExecutionHost` for one node."""

    node_id: str
    reporter: Reporter
    interrupt: InterruptFlag

    def progress(self, value: int, total: int, preview: Image | None = None) -> None:
        self.check_interrupt()
        self.reporter.step(self.node_id, min(value, total), total, preview)

    def check_interrupt(self) -> None:
        self.interrupt.raise_if_set()
