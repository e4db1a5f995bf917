"""The event stream of one job, in v2's order: state first, every output before the last status.

Only rows of the event log carry an id, so `Last-Event-ID` resumes without a gap; progress and
preview are the newest at the time (facts/comfy-api-v2.md §4).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from app.events.feed import Feed
from app.events.hub import EventHub, Latest, Waiter
from app.events.repository import EventRepository, JobEvent
from app.events.sse import Frame, frame
from app.jobs.models import Job, JsonObject
from app.jobs.render import Links, status_frame
from app.jobs.repository.queries import JobQueries
from app.jobs.transitions import TERMINAL

RECHECK_CALLER_S: Final = 5.0


@dataclass(slots=True)
class _Position:
    """How far one reader has come."""

    seq: int
    ended: bool = False
    progress_version: int = -1
    preview_version: int = -1
    look_at: float = 0.0


@dataclass(slots=True)
class CallerCheck:
    """Whose key is asked about again while the stream is open."""

    still_good: Callable[[], Awaitable[bool]]
    ask_at: float

    async def may_go_on(self) -> bool:
        """Whether the key is still good; asks at most once in a while."""
        now = asyncio.get_running_loop().time()
        if now < self.ask_at:
            return True
        self.ask_at = now + RECHECK_CALLER_S
        return await self.still_good()


@dataclass(frozen=True, slots=True)
class JobStream:
    """Streams jobs to readers."""

    queries: JobQueries
    events: EventRepository
    hub: EventHub
    feed: Feed

    async def read(
        self,
        job: Job,
        links: Links,
        *,
        last_event_id: int | None,
        still_good: Callable[[], Awaitable[bool]],
    ) -> AsyncGenerator[Frame]:
        """Frames until the job ends or the caller's key is no longer good.

        Args:
            job: as its caller was allowed to see it
            links: renders outputs
            last_event_id: seq to go on after, if the reader has one that can be true
            still_good: asked every few seconds
        """
        position = _Position(seq=0)
        try:
            with self.hub.waiting(job.id) as waiter:
                current = await self.queries.get(job.workspace_id, job.id) or job
                if last_event_id is not None and 0 < last_event_id <= current.seq:
                    position.seq = last_event_id
                else:
                    position.seq = current.seq
                    for item in await self._snapshot(current, links, position):
                        yield item
                    position.ended = current.is_terminal
                async for item in self._follow(current, links, position, waiter, still_good):
                    yield item
        finally:
            if not position.ended:
                self.hub.stream_cut(job.id)

    async def _follow(
        self,
        job: Job,
        links: Links,
        position: _Position,
        waiter: Waiter,
        still_good: Callable[[], Awaitable[bool]],
    ) -> AsyncGenerator[Frame]:
        """What comes after the position, until the end."""
        caller = CallerCheck(still_good, asyncio.get_running_loop().time() + RECHECK_CALLER_S)
        while not position.ended:
            for item in await self._due(job, links, position, waiter):
                yield item
            if position.ended or not await caller.may_go_on():
                return
            if waiter.seq <= position.seq:
                await waiter.wait(min(self.feed.poll_every_s(), RECHECK_CALLER_S))

    async def _snapshot(self, job: Job, links: Links, position: _Position) -> list[Frame]:
        outputs = [frame("output", links.output(job.id, entry)) for entry in job.outputs]
        status = frame("status", status_frame(job))
        if job.is_terminal:
            frames = [*outputs, status]
        else:
            news = self._news(job, position, await self.feed.latest(job.id))
            frames = [status, *news, *outputs]
        # The last durable frame carries the place: who saw it has seen everything up to here.
        durable = max(i for i, f in enumerate(frames) if f["event"] in {"status", "output"})
        frames[durable]["id"] = str(job.seq)
        return frames

    async def _due(
        self, job: Job, links: Links, position: _Position, waiter: Waiter
    ) -> list[Frame]:
        now = asyncio.get_running_loop().time()
        frames: list[Frame] = []
        if waiter.seq > position.seq or now >= position.look_at:
            position.look_at = now + self.feed.poll_every_s()
            frames = await self._rows(job, links, position)
        if not position.ended:
            frames += self._news(job, position, await self.feed.latest(job.id))
        return frames

    async def _rows(self, job: Job, links: Links, position: _Position) -> list[Frame]:
        frames: list[Frame] = []
        while events := await self.events.after(job.id, position.seq):
            last_start = max((e.seq for e in events if is_start(e)), default=0)
            for event in events:
                position.seq = event.seq
                if event.type == "output" and event.seq < last_start:
                    continue  # of a run that no longer counts
                frames.append(self._row(job, links, event))
                position.ended = position.ended or ends(event)
            if position.ended:
                break
        return frames

    def _row(self, job: Job, links: Links, event: JobEvent) -> Frame:
        data: JsonObject = event.data
        if event.type == "output":
            data = links.output(job.id, event.data)
        return frame(event.type, data, id=event.seq)

    def _news(self, job: Job, position: _Position, latest: Latest) -> list[Frame]:
        frames: list[Frame] = []
        if latest.progress is not None and latest.progress_version != position.progress_version:
            position.progress_version = latest.progress_version
            frames.append(frame("progress", latest.progress))
        elif position.progress_version < 0 and job.progress and not job.is_terminal:
            position.progress_version = 0
            frames.append(frame("progress", job.progress))
        if latest.preview is not None and latest.preview_version != position.preview_version:
            position.preview_version = latest.preview_version
            frames.append(frame("preview", latest.preview))
        return frames


def is_start(event: JobEvent) -> bool:
    """A new run begins or is to begin: what the one before showed is no longer true."""
    return event.type == "status" and event.data.get("status") in {"running", "queued"}


def ends(event: JobEvent) -> bool:
    """The last event of its job."""
    status: Any = event.data.get("status")
    return event.type == "status" and status in TERMINAL


def parse_last_event_id(text: str | None) -> int | None:
    """A seq, or None for anything that is not one of ours."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else None
