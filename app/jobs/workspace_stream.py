"""The event stream of a whole workspace: what a dashboard reads instead of one stream per job.

Within a job `seq` is dense, so what a hint announces is fetched by seq and without a gap. Across
jobs transactions commit out of order, so the place to resume at is a time, and reading goes on a
little before it: a reader may see an event again and drops what it knows by (`job_id`, `seq`).
"""

import asyncio
import base64
import binascii
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from app.errors import AppError, DatabaseUnavailableError
from app.events.feed import Feed
from app.events.hub import EventHub, Latest, Watcher
from app.events.repository import PAGE, EventRepository, JobEvent, Place
from app.events.sse import Frame, frame
from app.events.tail import DATABASE_AGAIN_S
from app.jobs.models import JsonObject
from app.jobs.render import Links
from app.jobs.stream import RECHECK_CALLER_S, CallerCheck, ends, is_start

OVERLAP_S: Final = 10.0
"""Longer than any statement may take: an event dated before that was committed, or never is."""
COALESCE_S: Final = 0.1
MAX_KNOWN_JOBS: Final = 10_000
_CURSOR_BYTES: Final = 8


@dataclass(slots=True)
class _Position:
    """How far one reader has come."""

    looked_at: datetime
    """Up to here (but for the overlap) the log itself was read, whatever hints were lost."""
    known: OrderedDict[UUID, int] = field(default_factory=OrderedDict[UUID, int])
    ended: set[UUID] = field(default_factory=set[UUID])
    """Those of the known jobs whose end was sent: news of them are old."""
    shown: dict[UUID, tuple[int, int]] = field(default_factory=dict[UUID, tuple[int, int]])
    """Versions of the progress and preview last sent of each running job."""
    asked_at: float = float("-inf")
    """When the log itself was last read, by the loop's clock."""

    @property
    def floor(self) -> datetime:
        """Where the next reading of the log begins."""
        return self.looked_at - timedelta(seconds=OVERLAP_S)

    @property
    def cursor(self) -> str:
        """Where a reader resumes that has seen everything sent so far."""
        return make_cursor(self.looked_at)

    def is_new(self, event: JobEvent) -> bool:
        """Whether the event was not sent yet; takes note of it."""
        if self.known.get(event.job_id, 0) >= event.seq:
            return False
        self.known[event.job_id] = event.seq
        self.known.move_to_end(event.job_id)
        if len(self.known) > MAX_KNOWN_JOBS:
            self.ended.discard(self.known.popitem(last=False)[0])
        return True


@dataclass(frozen=True, slots=True)
class WorkspaceStream:
    """Streams workspaces to readers."""

    events: EventRepository
    hub: EventHub
    feed: Feed

    async def read(
        self,
        workspace_id: UUID,
        links: Links,
        *,
        cursor: datetime | None,
        previews: bool,
        still_good: Callable[[], Awaitable[bool]],
    ) -> AsyncGenerator[Frame]:
        """Frames until the caller's key is no longer good, or this process ends.

        Args:
            workspace_id: whose jobs
            links: renders outputs
            cursor: from `read_cursor`; None begins with now (and may tell of the last 10 s)
            previews: also latent previews, up to 256 KiB each
            still_good: asked every few seconds
        """
        loop = asyncio.get_running_loop()
        with self.hub.watching(workspace_id) as watcher:
            position = _Position(looked_at=cursor or await self.events.now())
            yield _ready(position)
            caller = CallerCheck(still_good, loop.time() + RECHECK_CALLER_S)
            while not self.hub.leaving:
                try:
                    if not await caller.may_go_on():
                        return
                    async for item in self._due(workspace_id, links, position, watcher):
                        yield item
                except DatabaseUnavailableError:
                    position.asked_at = float("-inf")  # what was noted may be lost with the error
                    await asyncio.sleep(DATABASE_AGAIN_S)
                    continue
                for item in self._news(position, watcher, previews=previews):
                    yield item
                if not (watcher.moved or watcher.with_news or self.hub.leaving):
                    await watcher.wait(min(self.feed.poll_every_s(), RECHECK_CALLER_S))
                await asyncio.sleep(COALESCE_S)  # one statement for what comes together

    async def _due(
        self, workspace_id: UUID, links: Links, position: _Position, watcher: Watcher
    ) -> AsyncGenerator[Frame]:
        now = asyncio.get_running_loop().time()
        is_late = now - position.asked_at >= self.feed.poll_every_s()
        if is_late or watcher.has_lost_some or position.asked_at <= self.hub.hints_lost_at:
            position.asked_at, watcher.has_lost_some = now, False
            async for item in self._window(workspace_id, links, position):
                yield item
        async for item in self._moved(workspace_id, links, position, watcher):
            yield item

    async def _window(
        self, workspace_id: UUID, links: Links, position: _Position
    ) -> AsyncGenerator[Frame]:
        """Everything since a little before the last reading: what no hint told."""
        now, place = await self.events.now(), Place(position.floor)
        while True:
            events = await self.events.of_workspace(workspace_id, place)
            for event in events:
                if position.is_new(event):
                    yield _row(event, links, position)
            if len(events) < PAGE:
                break
            place = Place(events[-1].at, events[-1].job_id, events[-1].seq)
        position.looked_at = now

    async def _moved(
        self, workspace_id: UUID, links: Links, position: _Position, watcher: Watcher
    ) -> AsyncGenerator[Frame]:
        """The events of the jobs that hints have named."""
        moved, watcher.moved = watcher.moved, set()
        while moved:
            known = {job_id: position.known.get(job_id, 0) for job_id in moved}
            events = await self.events.of_jobs(workspace_id, known, position.floor)
            for event in events:
                if position.is_new(event):
                    yield _row(event, links, position)
            if len(events) < PAGE:
                return

    def _news(self, position: _Position, watcher: Watcher, *, previews: bool) -> list[Frame]:
        jobs, watcher.with_news = watcher.with_news, set()
        frames: list[Frame] = []
        for job_id in jobs - position.ended:
            latest = self.hub.latest(job_id)
            progress_version, preview_version = position.shown.get(job_id, (-1, -1))
            if latest.progress is not None and latest.progress_version != progress_version:
                frames.append(_encoded(latest, "progress", job_id, latest.progress))
            if previews and latest.preview and latest.preview_version != preview_version:
                frames.append(_encoded(latest, "preview", job_id, latest.preview))
            position.shown[job_id] = (latest.progress_version, latest.preview_version)
        return frames


def _encoded(latest: Latest, event: str, job_id: UUID, data: JsonObject) -> Frame:
    """As encoded by the first of the workspace's readers."""
    name = f"workspace {event}"
    encoded = latest.frames.get(name)
    if encoded is None:
        encoded = latest.frames[name] = frame(event, {"job_id": job_id, **data})
    return encoded


def _ready(position: _Position) -> Frame:
    return frame("ready", {"cursor": position.cursor}, id=position.cursor)


def _row(event: JobEvent, links: Links, position: _Position) -> Frame:
    data: JsonObject = event.data
    if event.type == "output":
        data = links.output(event.job_id, event.data)
    elif is_start(event):
        position.shown.pop(event.job_id, None)
    elif ends(event):
        position.ended.add(event.job_id)
    head = {"job_id": event.job_id, "seq": event.seq, "at": event.at}
    return frame(event.type, {**head, **data}, id=position.cursor)


def make_cursor(at: datetime) -> str:
    """A place in a workspace's stream; opaque to readers, and good for no other workspace's."""
    microseconds = int(at.timestamp() * 1_000_000)
    return base64.urlsafe_b64encode(microseconds.to_bytes(_CURSOR_BYTES)).decode().rstrip("=")


def read_cursor(text: str) -> datetime:
    """The time of a cursor; raises AppError 400 `invalid_cursor`."""
    try:
        value = base64.b64decode(text + "=", altchars=b"-_", validate=True)
        at = datetime.fromtimestamp(int.from_bytes(value) / 1_000_000, UTC)
    except (binascii.Error, ValueError, OverflowError, OSError) as error:
        raise _invalid_cursor() from error
    if len(value) != _CURSOR_BYTES:
        raise _invalid_cursor()
    return at


def _invalid_cursor() -> AppError:
    return AppError(400, "invalid_cursor", "This cursor is not one of ours.")
