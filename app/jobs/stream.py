"""The event stream of one job, in v2's order: state first, every output before the last status.

Only rows of the event log carry an id, so `Last-Event-ID` resumes without a gap; progress and
preview are the newest at the time (facts/comfy-api-v2.md §4).
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from app.errors import DatabaseUnavailableError
from app.events.feed import Feed
from app.events.hub import EventHub, Latest, Sleeper
from app.events.repository import JobEvent
from app.events.sse import Frame, frame
from app.events.tail import DATABASE_AGAIN_S, NOT_THERE_S, Tail, Tails, Told
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
    has_shown_news: bool = False
    """The news from before it came; those that come later reach this process by themselves."""


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
    tails: Tails
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
        """Frames until the job ends, the caller's key is no longer good, or this process ends.

        Args:
            job: as its caller was allowed to see it
            links: renders outputs
            last_event_id: seq to go on after, if the reader has one that can be true
            still_good: asked every few seconds
        """
        position = _Position(seq=0)
        try:
            with self.tails.following(job.id, job.seq) as (tail, sleeper):
                current = await self.queries.get(job.workspace_id, job.id) or job
                tail.told(current.seq)
                if last_event_id is not None and 0 < last_event_id <= current.seq:
                    position.seq = last_event_id
                else:
                    position.seq = current.seq
                    for item in await self._snapshot(current, links, position):
                        yield item
                    position.ended = current.is_terminal
                reader = _Reader(self, current, links, position, tail, sleeper)
                async for item in reader.follow(still_good):
                    yield item
        finally:
            if not position.ended:
                self.hub.stream_cut(job.id)

    async def _snapshot(self, job: Job, links: Links, position: _Position) -> list[Frame]:
        # The last durable frame carries the place: who saw it has seen everything up to here.
        outputs = [links.output(job.id, entry) for entry in job.outputs]
        last = len(outputs) - 1
        told = [
            frame("output", output, id=job.seq if i == last and not job.is_terminal else None)
            for i, output in enumerate(outputs)
        ]
        is_last = job.is_terminal or not outputs
        status = frame("status", status_frame(job), id=job.seq if is_last else None)
        if job.is_terminal:
            return [*told, status]
        return [status, *await self.first_news(job, position), *told]

    async def first_news(self, job: Job, position: _Position) -> list[Frame]:
        """The newest progress and preview, wherever they are known."""
        position.has_shown_news = True
        latest = await self.feed.latest(job.id)
        frames = news(latest, position)
        if position.progress_version < 0 and job.progress:
            position.progress_version = 0
            frames.insert(0, frame("progress", job.progress))
        return frames


@dataclass(frozen=True, slots=True)
class _Reader:
    """One reader that has been told the state and follows what happens."""

    stream: JobStream
    job: Job
    links: Links
    position: _Position
    tail: Tail
    sleeper: Sleeper

    async def follow(self, still_good: Callable[[], Awaitable[bool]]) -> AsyncGenerator[Frame]:
        """What comes after the position, until the end."""
        hub, feed, position, tail = self.stream.hub, self.stream.feed, self.position, self.tail
        caller = CallerCheck(still_good, asyncio.get_running_loop().time() + RECHECK_CALLER_S)
        while not (position.ended or hub.leaving):
            try:
                for item in await self._due():
                    yield item
                if position.ended or not await caller.may_go_on():
                    return
            except DatabaseUnavailableError:
                await asyncio.sleep(DATABASE_AGAIN_S)
                continue
            every_s = feed.poll_every_s()
            tail.look(every_s)
            if tail.last <= position.seq and not hub.leaving:
                await self.sleeper.wait(min(every_s, RECHECK_CALLER_S))

    async def _due(self) -> list[Frame]:
        """A page of the log; behind the last one also the newest progress and preview."""
        position, tail, frames = self.position, self.tail, list[Frame]()
        if tail.last > position.seq:
            told = await tail.after(position.seq)
            frames += self._rows(told)
            if not told:  # rows that are gone
                await asyncio.sleep(NOT_THERE_S)
            elif tail.last > position.seq:
                return frames
        if position.ended:
            return frames
        if position.has_shown_news:
            return frames + news(self.stream.hub.latest(self.job.id), position)
        return frames + await self.stream.first_news(self.job, position)

    def _rows(self, told: Sequence[Told]) -> Iterator[Frame]:
        last_start = max((t.event.seq for t in told if is_start(t.event)), default=0)
        for each in told:
            event = each.event
            self.position.seq = event.seq
            self.position.ended = self.position.ended or ends(event)
            if event.type != "output":
                each.frame = each.frame or frame(event.type, event.data, id=event.seq)
                yield each.frame
            elif event.seq > last_start:  # else of a run that no longer counts
                yield frame("output", self.links.output(self.job.id, event.data), id=event.seq)


def news(latest: Latest, position: _Position) -> list[Frame]:
    """What a reader has not seen of the newest progress and preview."""
    frames: list[Frame] = []
    if latest.progress is not None and latest.progress_version != position.progress_version:
        position.progress_version = latest.progress_version
        frames.append(_encoded(latest, "progress", latest.progress))
    if latest.preview is not None and latest.preview_version != position.preview_version:
        position.preview_version = latest.preview_version
        frames.append(_encoded(latest, "preview", latest.preview))
    return frames


def _encoded(latest: Latest, event: str, data: JsonObject) -> Frame:
    """As encoded by the first of its readers."""
    encoded = latest.frames.get(event)
    if encoded is None:
        encoded = latest.frames[event] = frame(event, data)
    return encoded


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
