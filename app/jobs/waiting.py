"""Holding a request until a job ends, without a database connection in the meantime."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.events.feed import Feed
from app.events.hub import EventHub
from app.jobs.models import Job
from app.jobs.repository.queries import JobQueries

DISCONNECT_CHECK_S: Final = 5.0
CUT_IS_SEEN_WITHIN_S: Final = 1.0
"""Of the stream and of the poll of one client, either may reach us first."""


@dataclass(frozen=True, slots=True)
class JobWaiter:
    """Waits on hints; the row decides."""

    queries: JobQueries
    hub: EventHub
    feed: Feed

    async def until_ended(
        self,
        workspace_id: UUID,
        job_id: UUID,
        hold_s: float,
        gone: Callable[[], Awaitable[bool]],
    ) -> Job | None:
        """The job, as soon as it has ended or the hold has passed; None if there is none.

        Returning early on progress would cost the SDK a sleep of up to 5 s, so only the end counts,
        and our own: the official clients give up a poll that is cut, and ask again after one that
        is answered.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + hold_s
        with self.hub.waiting(job_id) as waiter:
            job = await self.queries.get(workspace_id, job_id)
            looked_at = began = loop.time()
            while job and not (job.is_terminal or self.hub.leaving) and loop.time() < until:
                # A client whose stream was cut asks once before it connects again, by the link of
                # wait(): held, it would be blind until the hold has passed.
                young = loop.time() - began < CUT_IS_SEEN_WITHIN_S
                if young and self.hub.reader_returns(job_id, job.created_at):
                    break
                left = min(until - loop.time(), self.feed.poll_every_s())
                await waiter.wait(min(left, DISCONNECT_CHECK_S))
                if await gone():
                    break
                overdue = loop.time() - looked_at >= self.feed.poll_every_s()
                if waiter.ended or overdue or loop.time() >= until:
                    job = await self.queries.get(workspace_id, job_id)
                    looked_at = loop.time()
            return job
