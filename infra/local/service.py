"""What the supervisor needs to know of one process: how it starts, when it is ready, how it stops."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Handover:
    """What one start passes on beside the environment: descriptors, and the variables naming them."""

    descriptors: tuple[int, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str])


def _nothing() -> AbstractContextManager[Handover]:
    return nullcontext(Handover())


@dataclass(frozen=True, slots=True)
class Service:
    """One process of the stack."""

    name: str
    argv: list[str]
    ready: Callable[[], Awaitable[bool]]
    env: Mapping[str, str]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_timeout_s: float = 10.0
    ready_timeout_s: float = 60.0
    popen: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """More arguments for Popen: the user it runs as, its working directory."""
    handover: Callable[[], AbstractContextManager[Handover]] = _nothing
    """Entered for every start, restarts included; left once the process has its descriptors."""
    is_essential: bool = True
    """Five deaths in a minute end the stack; of other services they only slow the restarts."""
    is_quiet: bool = False
    """Its output goes to its log file alone; its last lines are told when it fails to start."""
    after_stop: Callable[[], None] = lambda: None
    """Takes away what must not outlive the stack."""
