"""Waiting for the verdict of history beside the socket, and knowing when none will come.

Silence is no failure while the queue says that the prompt runs; a queue that does not move and no
event for `stall_s` is one, and so is a prompt in neither queue nor history.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gpu_functions.comfyui.client import ComfyUnreachableError, Queue
from gpu_functions.comfyui.process import Running
from gpu_functions.contract import FailureCode, Json

_POLL_S = 1.5
_POLL_AFTER_END_S = 0.01
_POLL_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds until an absence means something."""

    lost_s: float = 4.0
    """In neither queue nor history for longer than any gap between the two (§8, point 9)."""
    unreachable_s: float = 10.0
    """A ComfyUI that is not ours does not answer."""
    silent_s: float = 20.0
    """No frame while the prompt runs: the socket may be deaf."""


class RunFailedError(Exception):
    """The run ended before ComfyUI judged it, or its outputs cannot be kept.

    `spoiled`: its process must go. `final`: another start would end the same.
    """

    def __init__(
        self, code: FailureCode, message: str, *, spoiled: bool = False, final: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.spoiled = spoiled
        self.final = final


@dataclass(slots=True)
class Vigil:
    """Watches over one prompt."""

    running: Running
    prompt_id: str
    stall_s: float
    refresh_socket: Callable[[], Awaitable[None]]
    patience: Patience = field(default_factory=Patience)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the last frame of the run: history is written by then."""
    active_at: float = field(default_factory=time.monotonic)
    """Moved by every event of the run."""
    _answered_at: float = field(default_factory=time.monotonic)
    _absent_since: float | None = None
    """When a look first found it neither in the queue nor in history."""
    _refreshed_at: float = field(default_factory=time.monotonic)
    _order: Queue | None = None
    _looked_since_end: bool = False

    async def entry(self) -> Json:
        """The history entry, once there is one. Raises RunFailedError."""
        while True:
            await self._pause()
            if self.running.exited.is_set():
                raise gone(self.running, None)
            try:
                async with asyncio.timeout(min(_POLL_TIMEOUT_S, self.stall_s)):
                    entry = await self.running.client.history(self.prompt_id)
                    if entry is not None:
                        return entry
                    self._saw(await self.running.client.queue())
            except (ComfyUnreachableError, TimeoutError) as error:
                self._check_reachable(error)
            self._check_stall()
            await self._check_socket()

    async def _pause(self) -> None:
        if self.ended.is_set():
            await asyncio.sleep(_POLL_AFTER_END_S if self._looked_since_end else 0)
            self._looked_since_end = True
            return
        waits = [
            asyncio.ensure_future(self.ended.wait()),
            asyncio.ensure_future(self.running.exited.wait()),
        ]
        try:
            await asyncio.wait(
                waits,
                timeout=min(_POLL_S, self.stall_s / 4),
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            for wait in waits:
                wait.cancel()

    def _saw(self, queue: Queue) -> None:
        now = self._answered_at = time.monotonic()
        if queue != self._order:
            self.active_at, self._order = now, queue
        if self.prompt_id in queue:
            self._absent_since = None
            return
        # Not since it was last seen: a busy ComfyUI answers nothing for long, and a prompt may end
        # between the two halves of one look.
        if self._absent_since is None:
            self._absent_since = now
        if now - self._absent_since > self.patience.lost_s:
            raise RunFailedError(
                FailureCode.COMFYUI_CRASHED, "ComfyUI forgot the prompt: it was restarted."
            )

    def _check_reachable(self, error: Exception) -> None:
        """A child that hangs is a stall; somebody else's ComfyUI may simply be gone."""
        absent_s = time.monotonic() - self._answered_at
        if self.running.folders is None and absent_s > self.patience.unreachable_s:
            raise gone(self.running, error) from error

    def _check_stall(self) -> None:
        if time.monotonic() - self.active_at > self.stall_s:
            raise RunFailedError(
                FailureCode.STALLED,
                f"ComfyUI showed no progress for {self.stall_s:g} s.",
                spoiled=True,
            )

    async def _check_socket(self) -> None:
        now = time.monotonic()
        if now - max(self.active_at, self._refreshed_at) > self.patience.silent_s:
            self._refreshed_at = now
            await self.refresh_socket()


def gone(running: Running, error: BaseException | None) -> RunFailedError:
    """ComfyUI does not answer: died under us, or is somebody else's and away."""
    if running.folders is None:
        return RunFailedError(
            FailureCode.COMFYUI_UNREACHABLE, f"ComfyUI does not answer any more: {error}"
        )
    return RunFailedError(
        FailureCode.COMFYUI_CRASHED, "ComfyUI ended in the middle of the run.", spoiled=True
    )
