"""What a running node may ask of the server that runs it: to report progress and to be stopped.

A node pack imports this module alone (and `subgraph` to expand or block) and works under real ComfyUI
when `current()` is None.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Generator

    from PIL.Image import Image


class InterruptedExecutionError(Exception):
    """The user interrupted the prompt: unwinds the node, and is an outcome rather than a failure."""


class ExecutionHost(Protocol):
    """The server, as seen by the node that runs now."""

    def progress(self, value: int, total: int, preview: Image | None = None) -> None:
        """Tell the watching clients that `value` of `total` steps are done, and show `preview`.

        Raises:
            InterruptedExecutionError: The prompt was interrupted; let it pass.
        """
        ...

    def progress_text(self, text: str, node_id: str | None = None) -> None:
        """Show a text at this node, or at another one."""
        ...

    def check_interrupt(self) -> None:
        """Return unless the prompt was interrupted.

        Raises:
            InterruptedExecutionError: The prompt was interrupted; let it pass.
        """
        ...

    def subgraph_prefix(self) -> str:
        """Where the ids of the nodes that this one becomes begin; another one each time."""
        ...


_host: ContextVar[ExecutionHost | None] = ContextVar("comfyburst_engine_host", default=None)


def current() -> ExecutionHost | None:
    """The host of the node running in this context, or None outside the engine."""
    return _host.get()


@contextmanager
def hosting(host: ExecutionHost) -> Generator[None]:
    """Make `host` the answer of `current()` while one node runs."""
    token = _host.set(host)
    try:
        yield
    finally:
        _host.reset(token)
