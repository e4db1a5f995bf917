"""The reaper: one tick and, where it came in time, everything that has passed."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.events.feed import Feed
from app.jobs.repository.reaping import ReapingRepository

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reaper:
    """A duty. Two of them at once do no harm: rows are locked and skipped."""

    repository: ReapingRepository
    feed: Feed
    ready: Callable[[], Awaitable[bool]]
    every_s: float
    name: str = "reap"

    async def run(self, holder: str) -> None:
        """Tick; extend all leases if we were away, else act on what has passed."""
        tick = await self.repository.tick(holder, ready=await self.ready())
        if tick.late:
            log.info("the reaper was away: %d leases extended, nothing reaped", tick.extended)
        if tick.late or not tick.due:
            return
        for moved in await self.repository.reap():
            self.feed.moved(moved.told())
            log.warning("job reaped", extra={**moved.ids(), "status": moved.status})
