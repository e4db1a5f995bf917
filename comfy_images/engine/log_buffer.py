"""The last lines of this process's log, for error reports."""

from __future__ import annotations

import logging
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_images.engine.node_type import JsonObject

_LINES = 300


class LogBuffer(logging.Handler):
    """A handler for the root logger. Times are local, without a zone, as ComfyUI writes them."""

    def __init__(self) -> None:
        super().__init__()
        self._entries: deque[JsonObject] = deque(maxlen=_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        at = datetime.fromtimestamp(record.created, UTC).astimezone().replace(tzinfo=None)
        self._entries.append({"t": at.isoformat(), "m": f"{self.format(record)}\n"})

    def entries(self) -> list[JsonObject]:
        """Oldest first: `t` when, `m` the line."""
        return list(self._entries)
