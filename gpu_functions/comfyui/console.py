"""What ComfyUI and its nodes print during a run, made into lines for the log of its job.

A terminal shows of a progress bar its last state only; so does the log. A node may print without
end: what exceeds the room or the pace of a log is counted, not kept, and costs no more than that.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from gpu_functions.comfyui.redact import Redactor

_MAX_LINE_BYTES = 8_192
"""No more is held of a line; of it the redactor shows the first 500 characters."""
_SHOWN_LINE_BYTES = 2_000
_LOOKED_AT_PER_CHUNK = 250
"""Lines; a chunk of 64 KiB can hold as many as bytes, all of them empty."""


@dataclass(frozen=True, slots=True)
class Room:
    """How much of what is printed is kept, for one run."""

    lines: int = 500
    size_bytes: int = 131_072
    """An eighth of what the front door keeps of a job, so that all its runs have room."""
    burst: int = 100
    lines_per_s: float = 10.0
    """Each line is a row at the front door, and wakes every reader of the job."""


@dataclass(slots=True)
class Console:
    """Takes chunks as they were written, hands lines on as soon as they are whole."""

    say: Callable[[str], None]
    redact: Redactor
    room: Room = field(default_factory=Room)
    clock: Callable[[], float] = time.monotonic
    dropped: int = 0
    """Lines that were printed and not kept."""
    _unfinished: bytes = b""
    _lines: int = 0
    _size_bytes: int = 0
    _allowance: float = field(init=False)
    _allowed_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._allowance, self._allowed_at = float(self.room.burst), self.clock()

    def feed(self, chunk: bytes) -> None:
        """Read on."""
        finished, newline, unfinished = chunk.rpartition(b"\n")
        if newline:
            self._take(self._unfinished + finished)
            self._unfinished = b""
        self._unfinished = _last_state(self._unfinished + unfinished)

    def close(self) -> None:
        """What was not finished by a newline is a line too."""
        if self._unfinished:
            self._take(self._unfinished)
            self._unfinished = b""

    def _take(self, text: bytes) -> None:
        start = 0
        for _ in range(_LOOKED_AT_PER_CHUNK):
            if not self._has_room():
                break
            end = text.find(b"\n", start)
            self._line(text[start : end if end >= 0 else None])
            if end < 0:
                return
            start = end + 1
        self.dropped += text.count(b"\n", start) + 1

    def _has_room(self) -> bool:
        now = self.clock()
        earned = (now - self._allowed_at) * self.room.lines_per_s
        self._allowance = min(float(self.room.burst), self._allowance + earned)
        self._allowed_at = now
        is_full = self._lines >= self.room.lines or self._size_bytes >= self.room.size_bytes
        return self._allowance >= 1 and not is_full

    def _line(self, line: bytes) -> None:
        text = _last_state(line).decode(errors="replace")
        text = self.redact.text(text, max_bytes=_SHOWN_LINE_BYTES)
        if text.strip():
            self._lines += 1
            self._size_bytes += len(text.encode())
            self._allowance -= 1
            self.say(text)


def _last_state(line: bytes) -> bytes:
    """What stands there after its carriage returns: tqdm begins with one, others end with one."""
    written = line.rstrip(b"\r")
    shown = written.rpartition(b"\r")[2][:_MAX_LINE_BYTES]
    return shown + b"\r" if len(written) < len(line) else shown
