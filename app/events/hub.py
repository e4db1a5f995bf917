"""Who waits for which job in this process, and the newest progress and preview of each.

A hint says only "job J is at seq N"; readers fetch the rows. Progress and preview are state, not a
queue: a reader that is slow sees the newest, so no reader can make us hold anything.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

MAX_REMEMBERED_JOBS: Final = 2_000


@dataclass(slots=True)
class Latest:
    """The newest ephemeral news of a job; `version` grows with each."""

    progress: dict[str, Any] | None = None
    preview: dict[str, Any] | None = None
    progress_version: int = 0
    preview_version: int = 0


@dataclass(slots=True, eq=False)
class Waiter:
    """One reader of one job: woken by any news, never sent any."""

    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    seq: int = 0
    ended: bool = False

    async def wait(self, timeout_s: float) -> bool:
        """Sleep until there is news; False if none came in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    def wake(self) -> None:
        """There is news."""
        self._woken.set()


@dataclass(slots=True)
class EventHub:
    """The waiters of this process. All methods run on the event loop's thread."""

    _waiters: dict[UUID, set[Waiter]] = field(default_factory=dict[UUID, set[Waiter]])
    _latest: OrderedDict[UUID, Latest] = field(default_factory=OrderedDict[UUID, Latest])

    @contextmanager
    def waiting(self, job_id: UUID) -> Generator[Waiter]:
        """Be woken by news of a job. Enter before reading its row, so that nothing falls between."""
        waiter = Waiter()
        self._waiters.setdefault(job_id, set()).add(waiter)
        try:
            yield waiter
        finally:
            waiters = self._waiters[job_id]
            waiters.discard(waiter)
            if not waiters:
                del self._waiters[job_id]

    def has_waiters(self, job_id: UUID) -> bool:
        """Whether anybody here reads that job."""
        return job_id in self._waiters

    def moved(self, job_id: UUID, seq: int, *, ended: bool) -> None:
        """A transition was committed."""
        for waiter in self._waiters.get(job_id, ()):
            waiter.seq = max(waiter.seq, seq)
            waiter.ended = waiter.ended or ended
            waiter.wake()

    def news(
        self,
        job_id: UUID,
        *,
        progress: dict[str, Any] | None = None,
        preview: dict[str, Any] | None = None,
    ) -> None:
        """Keep what is newest and wake the readers."""
        latest = self._latest.pop(job_id, None) or Latest()
        if progress is not None:
            latest.progress, latest.progress_version = progress, latest.progress_version + 1
        if preview is not None:
            latest.preview, latest.preview_version = preview, latest.preview_version + 1
        self._latest[job_id] = latest
        if len(self._latest) > MAX_REMEMBERED_JOBS:
            self._latest.popitem(last=False)
        for waiter in self._waiters.get(job_id, ()):
            waiter.wake()

    def forget_news(self, job_id: UUID) -> None:
        """A new start: what the previous one showed is no longer true."""
        self._latest.pop(job_id, None)

    def latest(self, job_id: UUID) -> Latest:
        """The newest known here; empty if nothing is."""
        return self._latest.get(job_id) or Latest()

    def wake_all(self) -> None:
        """Hints may have been lost: let every reader look for itself."""
        for waiters in self._waiters.values():
            for waiter in waiters:
                waiter.wake()
