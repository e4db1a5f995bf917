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
from typing import Any, Final, Protocol, TypeVar
from uuid import UUID

MAX_REMEMBERED_JOBS: Final = 2_000
MAX_NOTED_JOBS: Final = 2_000
"""Jobs noted for a reader of a workspace that does not come to reading of them."""
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
    frames: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """As encoded for its readers, by whatever name they give it; emptied by news."""

    @property
    def is_known(self) -> bool:
        """Whether this process has heard any itself."""
        return bool(self.progress_version or self.preview_version)


@dataclass(slots=True, eq=False)
class Sleeper:
    """A reader that sleeps until there is news; it is never sent any."""

    _is_woken: bool = False
    _sleep: "asyncio.Future[None] | None" = None

    async def wait(self, timeout_s: float) -> bool:
        """Sleep until there is news; False if none came in time."""
        if not self._is_woken:
            # Bare, not an Event in a time-out: this is done for every delivery to every reader.
            loop = asyncio.get_running_loop()
            self._sleep = loop.create_future()
            alarm = loop.call_later(timeout_s, self._end_sleep)
            try:
                await self._sleep
            finally:
                alarm.cancel()
                self._sleep = None
        was_woken, self._is_woken = self._is_woken, False
        return was_woken

    def wake(self) -> None:
        """There is news."""
        self._is_woken = True
        self._end_sleep()

    def _end_sleep(self) -> None:
        if self._sleep is not None and not self._sleep.done():
            self._sleep.set_result(None)


@dataclass(slots=True, eq=False)
class Waiter(Sleeper):
    """A long poll of one job."""

    ended: bool = False


@dataclass(slots=True, eq=False)
class Watcher(Sleeper):
    """One reader of a workspace: which of its jobs have moved, and which have news."""

    moved: set[UUID] = field(default_factory=set[UUID])
    with_news: set[UUID] = field(default_factory=set[UUID])
    has_lost_some: bool = False
    """More has moved than is kept for a reader: only the log knows what."""

    def note_move(self, job_id: UUID) -> None:
        """A job has moved."""
        if len(self.moved) < MAX_NOTED_JOBS:
            self.moved.add(job_id)
        else:
            self.has_lost_some = True
        self.wake()

    def note_news(self, job_id: UUID) -> None:
        """A job has news; of too many some are passed over until they have more."""
        if len(self.with_news) < MAX_NOTED_JOBS:
            self.with_news.add(job_id)
        self.wake()


class Follower(Protocol):
    """Reads the log of one job for all its streams."""

    def told(self, seq: int) -> None:
        """The job is at that place."""

    def wake(self) -> None:
        """Let its streams think again."""

    def __len__(self) -> int:
        """How many streams."""
        ...


Reader = TypeVar("Reader", bound=Sleeper)


@dataclass(slots=True)
class EventHub:
    """The waiters of this process. All methods run on the event loop's thread."""

    _waiters: dict[UUID, set[Waiter]] = field(default_factory=dict[UUID, set[Waiter]])
    followers: dict[UUID, Follower] = field(default_factory=dict[UUID, Follower])
    _watchers: dict[UUID, set[Watcher]] = field(default_factory=dict[UUID, set[Watcher]])
    _latest: OrderedDict[UUID, Latest] = field(default_factory=OrderedDict[UUID, Latest])
    _cut: OrderedDict[UUID, float] = field(default_factory=OrderedDict[UUID, float])
    born_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    leaving: bool = False
    """The process ends soon: who can be answered now is."""
    hints_lost_at: float = float("-inf")
    """When hints may last have been lost, by the loop's clock."""

    @contextmanager
    def waiting(self, job_id: UUID) -> Generator[Waiter]:
        """Be woken by moves of a job. Enter before reading its row, so that nothing falls between."""
        with _entered(self._waiters, job_id, Waiter()) as waiter:
            yield waiter

    @contextmanager
    def watching(self, workspace_id: UUID) -> Generator[Watcher]:
        """Be woken by news of any job of a workspace."""
        with _entered(self._watchers, workspace_id, Watcher()) as watcher:
            yield watcher

    def has_readers(self, job_id: UUID, workspace_id: UUID) -> bool:
        """Whether anybody here reads that job, or its workspace."""
        return job_id in self.followers or workspace_id in self._watchers

    def readers(self) -> int:
        """Open streams and long polls of this process."""
        of_jobs = sum(map(len, (*self._waiters.values(), *self.followers.values())))
        return of_jobs + sum(map(len, self._watchers.values()))

    def moved(self, move: Move) -> None:
        """A transition was committed."""
        if move.started:
            self.forget_news(move.job_id)
        for waiter in self._waiters.get(move.job_id, ()):
            waiter.ended = waiter.ended or move.ended
            waiter.wake()
        if follower := self.followers.get(move.job_id):
            follower.told(move.seq)
        for watcher in self._watchers.get(move.workspace_id, ()):
            watcher.note_move(move.job_id)

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
        latest.frames.clear()
        self._latest[job_id] = latest
        if len(self._latest) > MAX_REMEMBERED_JOBS:
            self._latest.popitem(last=False)
        if follower := self.followers.get(job_id):
            follower.wake()
        for watcher in self._watchers.get(workspace_id, ()):
            watcher.note_news(job_id)

    def is_older(self, job_id: UUID, progress: dict[str, Any]) -> bool:
        """Whether it was held up on its way: within a run, progress only grows."""
        known = self.latest(job_id).progress
        return known is not None and progress["value"] < known["value"]

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
        """Let go of every request that is held, and end every stream."""
        self.leaving = True
        self.wake_all()

    def hints_lost(self) -> None:
        """Hints may have been lost: let every reader look for itself."""
        self.hints_lost_at = asyncio.get_running_loop().time()
        self.wake_all()

    def wake_all(self) -> None:
        """Let every reader think again."""
        for sleepers in (*self._waiters.values(), *self._watchers.values()):
            for sleeper in sleepers:
                sleeper.wake()
        for follower in self.followers.values():
            follower.wake()


@contextmanager
def _entered(readers: dict[UUID, set[Reader]], key: UUID, reader: Reader) -> Generator[Reader]:
    readers.setdefault(key, set()).add(reader)
    try:
        yield reader
    finally:
        readers[key].discard(reader)
        if not readers[key]:
            del readers[key]
