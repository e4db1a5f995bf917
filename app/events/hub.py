"""Who waits for which job or workspace in this process, and the newest progress and preview of each.

A hint says only "job J is at seq N"; readers fetch the rows. Progress and preview are state, not a
queue: a reader that is slow sees the newest, so no reader can make us hold anything.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

MAX_REMEMBERED_JOBS: Final = 2_000
RETURNS_WITHIN_S: Final = 3.0
"""The official clients connect again a tenth of a second after a stream was cut."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """What a job that has ended had of its time."""

    tries: int
    waited_s: float | None
    """Until its first start; None if it never started."""
    ran_s: float | None
    """From its first start to its end, pauses between starts included."""


@dataclass(frozen=True, slots=True)
class Move:
    """A transition that was committed: what readers are told of it."""

    job_id: UUID
    workspace_id: UUID
    seq: int
    status: str
    """As stored."""
    ended: bool
    started: bool = False
    """A new start: what the run before showed is no longer true."""
    lifetime: Lifetime | None = None
    """Known where it has just ended."""
    notifies: bool = False
    """Its end is to be told to webhooks."""


@dataclass(slots=True)
class Latest:
    """The newest ephemeral news of a job; `version` grows with each."""

    progress: dict[str, Any] | None = None
    preview: dict[str, Any] | None = None
    progress_version: int = 0
    preview_version: int = 0

    @property
    def is_known(self) -> bool:
        """Whether this process has heard any itself."""
        return bool(self.progress_version or self.preview_version)


@dataclass(slots=True, eq=False)
class _Sleeper:
    """A reader that sleeps until there is news; it is never sent any."""

    _woken: asyncio.Event = field(default_factory=asyncio.Event)

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


@dataclass(slots=True, eq=False)
class Waiter(_Sleeper):
    """One reader of one job."""

    seq: int = 0
    ended: bool = False


@dataclass(slots=True, eq=False)
class Watcher(_Sleeper):
    """One reader of a workspace: which of its jobs have moved, and which have news."""

    moved: set[UUID] = field(default_factory=set[UUID])
    with_news: set[UUID] = field(default_factory=set[UUID])


Reader = TypeVar("Reader", bound=_Sleeper)


@dataclass(slots=True)
class EventHub:
    """The waiters of this process. All methods run on the event loop's thread."""

    _waiters: dict[UUID, set[Waiter]] = field(default_factory=dict[UUID, set[Waiter]])
    _watchers: dict[UUID, set[Watcher]] = field(default_factory=dict[UUID, set[Watcher]])
    _latest: OrderedDict[UUID, Latest] = field(default_factory=OrderedDict[UUID, Latest])
    _cut: OrderedDict[UUID, float] = field(default_factory=OrderedDict[UUID, float])
    born_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    leaving: bool = False
    """The process ends soon: who can be answered now is."""

    @contextmanager
    def waiting(self, job_id: UUID) -> Generator[Waiter]:
        """Be woken by news of a job. Enter before reading its row, so that nothing falls between."""
        with _entered(self._waiters, job_id, Waiter()) as waiter:
            yield waiter

    @contextmanager
    def watching(self, workspace_id: UUID) -> Generator[Watcher]:
        """Be woken by news of any job of a workspace."""
        with _entered(self._watchers, workspace_id, Watcher()) as watcher:
            yield watcher

    def has_readers(self, job_id: UUID, workspace_id: UUID) -> bool:
        """Whether anybody here reads that job, or its workspace."""
        return job_id in self._waiters or workspace_id in self._watchers

    def readers(self) -> int:
        """Open streams and long polls of this process."""
        of_jobs = sum(map(len, self._waiters.values()))
        return of_jobs + sum(map(len, self._watchers.values()))

    def moved(self, move: Move) -> None:
        """A transition was committed."""
        if move.started:
            self.forget_news(move.job_id)
        for waiter in self._waiters.get(move.job_id, ()):
            waiter.seq = max(waiter.seq, move.seq)
            waiter.ended = waiter.ended or move.ended
            waiter.wake()
        for watcher in self._watchers.get(move.workspace_id, ()):
            watcher.moved.add(move.job_id)
            watcher.wake()

    def news(
        self,
        job_id: UUID,
        workspace_id: UUID,
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
        for watcher in self._watchers.get(workspace_id, ()):
            watcher.with_news.add(job_id)
            watcher.wake()

    def stream_cut(self, job_id: UUID) -> None:
        """A reader of that job went away before its end."""
        self._cut.pop(job_id, None)
        self._cut[job_id] = time.monotonic()
        if len(self._cut) > MAX_REMEMBERED_JOBS:
            self._cut.popitem(last=False)
        for waiter in self._waiters.get(job_id, ()):
            waiter.wake()

    def reader_returns(self, job_id: UUID, created_at: datetime) -> bool:
        """Whether a reader of that job was cut off a moment ago, here or by our own restart."""
        young = datetime.now(UTC) - self.born_at < timedelta(seconds=RETURNS_WITHIN_S)
        cut_at = self._cut.get(job_id, float("-inf"))
        return time.monotonic() - cut_at < RETURNS_WITHIN_S or (young and created_at < self.born_at)

    def forget_news(self, job_id: UUID) -> None:
        """A new start: what the previous one showed is no longer true."""
        self._latest.pop(job_id, None)

    def latest(self, job_id: UUID) -> Latest:
        """The newest known here; empty if nothing is."""
        return self._latest.get(job_id) or Latest()

    def leave(self) -> None:
        """Let go of every request that is held."""
        self.leaving = True
        self.wake_all()

    def wake_all(self) -> None:
        """Hints may have been lost: let every reader look for itself."""
        for sleepers in (*self._waiters.values(), *self._watchers.values()):
            for sleeper in sleepers:
                sleeper.wake()


@contextmanager
def _entered(readers: dict[UUID, set[Reader]], key: UUID, reader: Reader) -> Generator[Reader]:
    readers.setdefault(key, set()).add(reader)
    try:
        yield reader
    finally:
        readers[key].discard(reader)
        if not readers[key]:
            del readers[key]
