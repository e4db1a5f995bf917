"""The worker thread: takes prompts from the queue, runs them, writes the history."""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from comfy_images.engine.execution.failure import error_report
from comfy_images.engine.execution.progress import ProgressBoard
from comfy_images.engine.execution.reporter import Reporter
from comfy_images.engine.queue_item import Execution

if TYPE_CHECKING:
    from comfy_images.engine.execution.executor import Executor
    from comfy_images.engine.prompt_queue import PromptQueue
    from comfy_images.engine.sockets import SocketHub

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Worker:
    """Runs prompts until the process ends; HTTP answers meanwhile."""

    queue: PromptQueue
    executor: Executor
    hub: SocketHub
    _cache_unwanted: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        # A daemon: a node that never returns must not keep a stopping process alive.
        threading.Thread(target=self._work, name="engine-worker", daemon=True).start()

    def forget_results(self) -> None:
        """Empty the node cache before the next prompt, or now if none runs (POST /free)."""
        self._cache_unwanted.set()
        self.queue.wake()

    def _work(self) -> None:
        with asyncio.Runner() as loop:  # one for all prompts: async nodes await on it
            while True:
                item = self.queue.get()
                if self._cache_unwanted.is_set():
                    self._cache_unwanted.clear()
                    self.executor.cache.clear()
                if item is None:
                    continue
                execution = Execution()
                reporter = Reporter(self.hub, item, execution, ProgressBoard(item.prompt_id))
                self._run(reporter, loop)
                self.queue.finish(item, execution)
                reporter.over()

    def _run(self, reporter: Reporter, loop: asyncio.Runner) -> None:
        """Run one prompt. One that cannot even begin must not end the thread, and with it all others."""
        try:
            loop.run(self.executor.run(reporter))
        except Exception as error:  # noqa: BLE001 - logged, and reported to the user
            _log.exception("Prompt %s could not be run", reporter.item.prompt_id)
            about = {"prompt_id": reporter.item.prompt_id, "node_id": None, "node_type": None}
            reporter.message("execution_error", about | error_report(error, {}))
        finally:
            self.executor.interrupt.clear()
