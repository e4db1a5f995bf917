"""What a node prints, as the log of its job shows it."""

from dataclasses import dataclass, field

import pytest

from gpu_functions.comfyui.console import Console, Room
from gpu_functions.comfyui.redact import Redactor

BAR = b"\r 10%|#   | 1/10\r 50%|##  | 5/10\r100%|####| 10/10"


@dataclass
class Listener:
    """A console, its lines, and a clock that a test moves."""

    lines: list[str] = field(default_factory=list[str])
    now: float = 0.0

    def console(self, room: Room | None = None, redact: Redactor | None = None) -> Console:
        """Print into it."""
        return Console(
            self.lines.append, redact or Redactor(), room or Room(), clock=lambda: self.now
        )


@pytest.fixture
def listener() -> Listener:
    return Listener()


def test_lines_are_told_once_they_are_whole(listener: Listener) -> None:
    console = listener.console()
    console.feed(b"got pro")
    assert not listener.lines
    console.feed(b"mpt\n\n  \nloading\r\nhalf")
    assert listener.lines == ["got prompt", "loading"]
    console.close()
    assert listener.lines[-1] == "half"


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_progress_bar_is_told_by_its_last_state(listener: Listener, size: int) -> None:
    console = listener.console()
    said = BAR + b"\nthen 1\rthen 2\r\n" + b"left at 30%\r"
    for start in range(0, len(said), size):
        console.feed(said[start : start + size])
    console.close()
    assert listener.lines == ["100%|####| 10/10", "then 2", "left at 30%"]


def test_colours_keys_and_private_paths_are_not_told(listener: Listener) -> None:
    redact = Redactor(("/srv/ada",)).also_hiding(["partner-key-1", "short", 5])
    console = listener.console(redact=redact)
    console.feed("\x1b[31mred\x1b[0m /srv/ada/x partner-key-1 sk-0123456789 short é\n".encode())
    assert listener.lines == ["red …/x [redacted] [redacted] short é"]


def test_what_a_log_has_no_room_for_is_counted(listener: Listener) -> None:
    console = listener.console(Room(lines=5, burst=100))
    console.feed(b"line\n" * 12)
    console.close()
    assert (len(listener.lines), console.dropped) == (5, 7)


def test_a_log_has_room_for_so_many_bytes(listener: Listener) -> None:
    console = listener.console(Room(size_bytes=1_000))
    console.feed((b"x" * 400 + b"\n") * 10)
    console.close()
    assert (len(listener.lines), console.dropped) == (3, 7)


def test_a_burst_is_told_and_then_so_many_lines_a_second(listener: Listener) -> None:
    console = listener.console(Room(burst=10, lines_per_s=2))
    console.feed(b"line\n" * 30)
    assert len(listener.lines) == 10
    listener.now = 1.5
    console.feed(b"line\n" * 30)
    assert len(listener.lines) == 13
    console.close()
    assert console.dropped == 47


def test_a_million_lines_cost_a_few_and_a_line_without_end_no_memory(listener: Listener) -> None:
    console = listener.console()
    chunk = b"step of a loop that prints\n" * 2_500
    for _ in range(400):
        console.feed(chunk)
    for _ in range(1_000):
        console.feed(b"x" * 65_536)
    held = [value for value in vars_of(console) if isinstance(value, bytes)]
    console.close()
    assert sum(map(len, held)) <= 8_192
    assert len(listener.lines) == Room().burst
    assert console.dropped == 1_000_000 - Room().burst + 1


@pytest.mark.parametrize("chunk", [b"\n" * 65_536, b"\r" * 65_536, b"\xff\xfe\x00\n" * 1_000, b""])
def test_chunks_of_nothing_are_told_by_no_line_or_few(listener: Listener, chunk: bytes) -> None:
    console = listener.console()
    for _ in range(50):
        console.feed(chunk)
    console.close()
    assert len(listener.lines) <= Room().burst


def vars_of(console: Console) -> list[object]:
    return [getattr(console, name) for name in Console.__slots__]
