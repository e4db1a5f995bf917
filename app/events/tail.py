"""What all streams of one job share: the newest events of its log, each read and encoded once.

A hint leads to one statement for the job, and only then are its streams woken: a thousand readers
cost one reading, and one turn of each. Without hints one of them has it read for all, now and then.
"""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from app.errors import DatabaseUnavailableError
from app.events.hub import EventHub, Sleeper
from app.events.repository import PAGE, EventRepository, JobEvent

MAX_KEPT: Final = 32
"""Events kept of a job, beyond the page read last. A reader further behind reads for itself."""
DATABASE_AGAIN_S: Final = 1.0
NOT_THERE_S: Final = 0.25
"""Where a hint told of what cannot be found: it is believed, and not asked for in a hot loop."""


@dataclass(slots=True, eq=False)
class Told:
    """An event of the log, and its frame where that is the same for every reader."""

    event: JobEvent
    frame: bytes | None = None


@dataclass(slots=True, eq=False)
class Tail:
    """The newest events of one job that somebody here reads."""

    job_id: UUID
    events: EventRepository
    hub: EventHub
    last: int
    """The newest seq that was read."""
    before: int
    """Events up to here are not kept."""
    looked_at: float
    """When the log was last asked, by the loop's clock."""
    hinted: int = 0
    kept: list[Told] = field(default_factory=list[Told])
    sleepers: set[Sleeper] = field(default_factory=set[Sleeper])
    _reading: "asyncio.Task[None] | None" = None

    def __len__(self) -> int:
        """How many streams."""
        return len(self.sleepers)

    def told(self, seq: int) -> None:
        """The job is at that place: read on."""
        self.hinted = max(self.hinted, seq)
        if seq > self.last:
            self._read_on()

    def look(self, every_s: float) -> None:
        """Read on without a hint where that is due: after a while, and when some were lost."""
        now = asyncio.get_running_loop().time()
        if self.looked_at <= self.hub.hints_lost_at or now - self.looked_at >= every_s:
            self._read_on()

    def wake(self) -> None:
        """Let every stream think again."""
        for sleeper in self.sleepers:
            sleeper.wake()

    async def after(self, seq: int) -> Sequence[Told]:
        """The known events behind `seq`, a page at most."""
        if seq < self.before:
            return [Told(event) for event in await self.events.after(self.job_id, seq)]
        return [told for told in self.kept if told.event.seq > seq]

    def _read_on(self) -> None:
        # A task of nobody: a reader that leaves would take the statement, and with it the
        # connection of the pool, away from the others.
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        while self.sleepers:
            self.looked_at, hinted = asyncio.get_running_loop().time(), self.hinted
            try:
                events = await self.events.after(self.job_id, self.last)
            except DatabaseUnavailableError:
                await asyncio.sleep(DATABASE_AGAIN_S)
                continue
            self._keep(events)
            if len(events) < PAGE and self.hinted <= self.last:
                return
            if not events and self.hinted == hinted:
                await asyncio.sleep(NOT_THERE_S)

    def _keep(self, events: Sequence[JobEvent]) -> None:
        if not events:
            return
        surplus = len(self.kept) - MAX_KEPT
        if surplus > 0:
            self.before = self.kept[surplus - 1].event.seq
            del self.kept[:surplus]
        self.kept += map(Told, events)
        self.last = events[-1].seq
        self.wake()


@dataclass(frozen=True, slots=True)
class Tails:
    """The tails of this process, one for each job that has streams."""

    events: EventRepository
    hub: EventHub
    _of_jobs: dict[UUID, Tail] = field(default_factory=dict[UUID, Tail])

    @contextmanager
    def following(self, job_id: UUID, seq: int) -> Generator[tuple[Tail, Sleeper]]:
        """The tail of a job at `seq`, for one stream. Enter before reading the job's row."""
        tail = self._of_jobs.get(job_id)
        if tail is None:
            now = asyncio.get_running_loop().time()
            tail = Tail(job_id, self.events, self.hub, seq, seq, looked_at=now)
            self._of_jobs[job_id] = self.hub.followers[job_id] = tail
        sleeper = Sleeper()
        tail.sleepers.add(sleeper)
        try:
            yield tail, sleeper
        finally:
            tail.sleepers.discard(sleeper)
            if not tail.sleepers:
                del self._of_jobs[job_id], self.hub.followers[job_id]
