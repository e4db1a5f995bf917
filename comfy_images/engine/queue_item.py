"""One accepted prompt on its way from the queue to the history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comfy_images.engine.graph import Prompt
    from comfy_images.engine.node_type import JsonObject


@dataclass(frozen=True, slots=True)
class QueueItem:
    """A prompt that waits or runs. The smallest `number` runs first; `outputs` are to be executed."""

    number: float
    prompt_id: str
    prompt: Prompt
    extra_data: JsonObject
    outputs: list[str]

    @property
    def client_id(self) -> str | None:
        """Whom the events are for: None is everybody, and what is no text is nobody."""
        client_id = self.extra_data.get("client_id")
        return client_id if client_id is None or isinstance(client_id, str) else ""

    def as_json(self) -> list[Any]:
        """The form it has in /queue and /history."""
        return [self.number, self.prompt_id, self.prompt, self.extra_data, self.outputs]


@dataclass(slots=True)
class Execution:
    """What running a prompt left behind: the body of its history entry (sheet §3)."""

    completed: bool = False
    outputs: JsonObject = field(default_factory=dict[str, Any])
    meta: JsonObject = field(default_factory=dict[str, Any])
    messages: list[tuple[str, JsonObject]] = field(default_factory=list[Any])

    def entry(self, item: QueueItem) -> JsonObject:
        return {
            "prompt": item.as_json(),
            "outputs": self.outputs,
            "status": {
                "status_str": "success" if self.completed else "error",
                "completed": self.completed,
                "messages": self.messages,
            },
            "meta": self.meta,
        }
