"""One process of the stack: how it starts, when it is ready, how it stops."""

import ctypes
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Service:
    """What the supervisor needs to know.

    `before_start` runs before every start, restarts included; `popen` is handed to it, so a pipe
    or socket can be passed anew each time.
    """

    name: str
    argv: list[str]
    ready: Callable[[], Awaitable[bool]]
    env: Mapping[str, str]
    cwd: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    ready_timeout_s: float = 60.0
    popen: Mapping[str, Any] = field(default_factory=dict[str, Any])
    before_start: Callable[[], Mapping[str, Any]] = dict
    after_start: Callable[[Mapping[str, Any]], None] = lambda _: None
    essential: bool = True
    """Five deaths in a minute end the stack; of others they only slow the restarts."""


def die_with_parent(number: int) -> Callable[[], None] | None:
    """For `preexec_fn`: on Linux a child ends when the supervisor is killed."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def arrange() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number)

    return arrange
