"""How many files and connections this process may hold open."""

import contextlib
import logging
import resource
from typing import Final

log = logging.getLogger(__name__)

RESERVE: Final = 256
"""For the database, Redis, files, and requests that are no streams."""

MAX_WANTED: Final = 65_536


def allow_open_files() -> None:
    """As many as the system lets us have: the usual soft limit of 1,024 is for programs of `select`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_WANTED if hard == resource.RLIM_INFINITY else min(hard, MAX_WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # macOS has a second, lower limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def room_for(streams: int) -> int:
    """How many streams may be open, when so many are wanted: what cannot be held is not promised."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft - RESERVE >= streams:
        return streams
    room = max(1, soft - RESERVE)
    log.warning("room for %d streams: the system allows %d open files (ulimit -n)", room, soft)
    return room
