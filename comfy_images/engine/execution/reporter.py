"""Tells the clients how one prompt runs, and keeps the messages that its history entry repeats.

Who gets what (sheet §2): everything goes to the client of the prompt. Without one, only progress,
previews and the interruption are sent, and then to everybody.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from comfy_images.engine.execution.binary_frames import (
    encode_jpeg,
    text_frame,
    with_metadata,
    without_metadata,
)

if TYPE_CHECKING:
    from PIL.Image import Image

    from comfy_images.engine.execution.cache import NodeResult
    from comfy_images.engine.execution.progress import ProgressBoard
    from comfy_images.engine.node_type import JsonObject
    from comfy_images.engine.queue_item import Execution, QueueItem
    from comfy_images.engine.sockets import SocketHub


@dataclass(frozen=True, slots=True)
class Reporter:
    """The events of one prompt."""

    hub: SocketHub
    item: QueueItem
    execution: Execution
    board: ProgressBoard

    def message(self, kind: str, data: JsonObject, *, broadcast: bool = False) -> None:
        """An event that is also kept in the history."""
        stamped = {**data, "timestamp": now_ms()}
        self.execution.messages.append((kind, stamped))
        if broadcast or self.item.client_id is not None:
            self.hub.publish(kind, stamped, self.item.client_id)

    def start(self) -> None:
        self.message("execution_start", {"prompt_id": self.item.prompt_id})

    def cached(self, nodes: list[str]) -> None:
        self.message("execution_cached", {"nodes": nodes, "prompt_id": self.item.prompt_id})

    def success(self) -> None:
        self.message("execution_success", {"prompt_id": self.item.prompt_id})

    def node_started(self, node_id: str) -> None:
        shown = self.board.family.real(node_id)
        self.hub.last_node_id = shown
        self.board.start(node_id)
        self._progress_state()
        self._to_client("executing", {"node": node_id, "display_node": shown})

    def node_finished(self, node_id: str, result: NodeResult) -> None:
        if result.ui is not None:
            self._keep_output(node_id, result.ui)
            self._executed(node_id, result.ui)
        self.board.finish(node_id)
        self._progress_state()

    def node_was_cached(self, node_id: str, result: NodeResult) -> None:
        """Resend an old output. Without a client it is not even in the history, as in 0.8.0."""
        if self.item.client_id is not None:
            self._executed(node_id, result.ui)
            if result.ui is not None:
                self._keep_output(node_id, result.ui)
        self.board.finish(node_id)
        self._progress_state()

    def step(self, node_id: str, value: int, total: int, preview: Image | None) -> None:
        """One step of a progress bar, in ComfyUI's order: a preview without metadata comes last."""
        client_id, prompt_id = self.item.client_id, self.item.prompt_id
        watched = preview is not None and self.hub.hears(client_id)
        jpeg = encode_jpeg(preview) if preview is not None and watched else None
        self.board.update(node_id, value, total)
        self._progress_state()
        if jpeg is not None:
            names = self.board.family.names(node_id, prompt_id)
            self.hub.send(with_metadata(jpeg, names), client_id)
        step = {"value": value, "max": total, "prompt_id": prompt_id, "node": node_id}
        self.hub.publish("progress", step, client_id)
        if jpeg is not None:
            self.hub.send(without_metadata(jpeg), client_id)

    def text(self, node_id: str, text: str) -> None:
        """A text that a node shows while it runs; the history does not have it."""
        self.hub.send(text_frame(text, node_id), self.item.client_id)

    def blocked(self, node_id: str, node_type: str, executed: list[str], message: str) -> None:
        """An `execution_error` that ends nothing, and that the history does not have (sheet §3)."""
        data = {
            "node_id": node_id,
            "node_type": node_type,
            "executed": executed,
            "exception_message": f"Execution Blocked: {message}",
            "exception_type": "ExecutionBlocked",
            "traceback": [],
            "current_inputs": [],
            "current_outputs": [],
        }
        self._to_client("execution_error", data)

    def over(self) -> None:
        """The very last event; the history entry is written by now."""
        self.hub.last_node_id = None
        self._to_client("executing", {"node": None})

    def _executed(self, node_id: str, ui: JsonObject | None) -> None:
        shown = self.board.family.real(node_id)
        self._to_client("executed", {"node": node_id, "display_node": shown, "output": ui})

    def _keep_output(self, node_id: str, ui: JsonObject) -> None:
        self.execution.outputs[node_id] = ui
        self.execution.meta[node_id] = self.board.family.meta(node_id)

    def _to_client(self, kind: str, data: JsonObject) -> None:
        if self.item.client_id is not None:
            event = {**data, "prompt_id": self.item.prompt_id}
            self.hub.publish(kind, event, self.item.client_id)

    def _progress_state(self) -> None:
        if self.hub.hears(self.item.client_id):
            text = f'{{"type": "progress_state", "data": {self.board.as_text()}}}'
            self.hub.send(text, self.item.client_id)


def now_ms() -> int:
    return int(time.time() * 1000)
