"""The queue and the history, under one lock: a prompt is always in exactly one of them (sheet §3)."""

from __future__ import annotations

import heapq
import itertools
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from comfy_images.engine.node_type import JsonObject
    from comfy_images.engine.queue_item import Execution, QueueItem

_HISTORY_LIMIT = 10_001


class PromptQueue:
    """Pending prompts in a heap, at most one running, finished ones by id, oldest first.

    Shared by the event loop and the worker thread. `on_change` is called after every change of the
    number of remaining prompts, without the lock.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._changed = threading.Condition()
        self._arrival = itertools.count()
        self._pending: list[tuple[float, int, QueueItem]] = []
        self._running: QueueItem | None = None
        self._history: dict[str, JsonObject] = {}
        self._woken = False

    def put(self, item: QueueItem) -> None:
        # The arrival breaks ties: ComfyUI compares the prompts instead, and dies of it (sheet §4).
        with self._changed:
            heapq.heappush(self._pending, (item.number, next(self._arrival), item))
            self._changed.notify()
        self._on_change()

    def get(self) -> QueueItem | None:
        """Wait for the next prompt and make it the running one; None after `wake`."""
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._woken)
            if self._woken:
                self._woken = False
                return None
            self._running = heapq.heappop(self._pending)[2]
        self._on_change()
        return self._running

    def wake(self) -> None:
        """Let the worker look at its other duties."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def finish(self, item: QueueItem, execution: Execution) -> None:
        """Move the running prompt into the history; a repeated id keeps the last run."""
        with self._changed:
            self._running = None
            if len(self._history) >= _HISTORY_LIMIT:
                del self._history[next(iter(self._history))]
            self._history[item.prompt_id] = execution.entry(item)
        self._on_change()

    def remaining(self) -> int:
        with self._changed:
            return len(self._pending) + (self._running is not None)

    def snapshot(self) -> tuple[list[QueueItem], list[QueueItem]]:
        """The running and the pending prompts, the latter in heap order as in ComfyUI."""
        with self._changed:
            running = [] if self._running is None else [self._running]
            return running, [entry[2] for entry in self._pending]

    def clear(self) -> None:
        with self._changed:
            self._pending.clear()
        self._on_change()

    def delete(self, prompt_id: str) -> bool:
        """Drop one pending prompt of that id; False for the running one and unknown ids."""
        with self._changed:
            for index, (_, _, item) in enumerate(self._pending):
                if item.prompt_id == prompt_id:
                    del self._pending[index]
                    heapq.heapify(self._pending)
                    break
            else:
                return False
        self._on_change()
        return True

    def history_of(self, prompt_id: str) -> JsonObject | None:
        with self._changed:
            return self._history.get(prompt_id)

    def history(self, max_items: int | None, offset: int) -> dict[str, Any]:
        """The finished prompts, oldest first; a negative `offset` means the last `max_items`."""
        with self._changed:
            entries = list(self._history.items())
        if offset < 0 and max_items is not None:
            offset = max(0, len(entries) - max_items)
        start = max(0, offset)
        return dict(entries[start : None if max_items is None else start + max_items])

    def clear_history(self) -> None:
        with self._changed:
            self._history.clear()

    def delete_history(self, prompt_id: str) -> None:
        with self._changed:
            self._history.pop(prompt_id, None)
