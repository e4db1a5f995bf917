"""ComfyUI's own output: copied into a bounded file, its last lines kept for error reports."""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

_MAX_FILE_BYTES = 10_000_000
"""A node that prints for ever fills two files of this size, not the disk."""


@dataclass(slots=True)
class LogFile:
    """One file and its predecessor (`.1`)."""

    path: Path
    listener: Callable[[bytes], None] | None = None
    """Gets every chunk as it was written; cheap, and never raises."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there is nothing more to come."""
    _tail: deque[bytes] = field(default_factory=lambda: deque(maxlen=20))
    _size: int = 0

    @property
    def tail(self) -> str:
        """The last chunks that were written."""
        return b"".join(self._tail)[-4_000:].decode(errors="replace")

    async def copy(self, stream: asyncio.StreamReader) -> None:
        """Copy until the stream ends. The child never waits for us longer than a write."""
        self._rotate()
        try:
            while chunk := await stream.read(65_536):
                self._keep(chunk)
        finally:
            self.ended.set()

    def _keep(self, chunk: bytes) -> None:
        self._tail.append(chunk[-4_000:])
        if self._size > _MAX_FILE_BYTES:
            self._rotate()
        with _opened(self.path) as file:
            self._size += file.write(chunk)
        if self.listener is not None:
            self.listener(chunk)

    def _rotate(self) -> None:
        if self.path.exists():
            self.path.replace(self.path.with_suffix(".log.1"))
        self._size = 0


def _opened(path: Path) -> BinaryIO:
    """For us alone: under COMFY_USER the nodes may enter the folder, and others print here too."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
