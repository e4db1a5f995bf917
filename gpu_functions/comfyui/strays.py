"""Processes that left the session of the ComfyUI they come from, as daemons do; Linux tells who they are.

`tether.py` makes ComfyUI the parent of its orphans, so that they can be found for as long as it lives.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

_PROCESSES: Final = Path("/proc")
_ROUNDS: Final = 5
"""What is started while others are ended is met in the next."""


class _Process(NamedTuple):
    parent: int
    session: int
    ended: bool


def end_strays(pid: int) -> list[int]:
    """Kill the descendants of a session's first process that are in other sessions; their numbers."""
    ended: list[int] = []
    for _ in range(_ROUNDS):
        known = dict(_all())
        strays = [
            each
            for each in _descendants(pid, known)
            if known[each].session != pid and not known[each].ended
        ]
        if not strays:
            break
        for stray in strays:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(stray, signal.SIGKILL)
        ended += strays
    return ended


def _descendants(pid: int, known: dict[int, _Process]) -> list[int]:
    found = [pid]
    for ancestor in found:
        found += [each for each, process in known.items() if process.parent == ancestor]
    return found[1:]


def _all() -> Iterator[tuple[int, _Process]]:
    for folder in _PROCESSES.glob("[0-9]*"):
        with suppress(OSError):
            # The name, which may hold anything, ends at the last parenthesis.
            fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
            yield int(folder.name), _Process(int(fields[1]), int(fields[3]), fields[0] in "ZX")
