"""What a caller may do with recorded jobs: look, list, cancel."""

import base64
import binascii
import logging
from dataclasses import dataclass
from uuid import UUID

from app.errors import AppError, NotFoundError
from app.events.feed import Feed
from app.events.repository import EventRepository
from app.jobs.models import Job, JobFilter, JobLog, JsonObject
from app.jobs.repository.queries import JobQueries
from app.jobs.repository.transitions import TransitionRepository

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class JobService:
    """Jobs of a workspace."""

    queries: JobQueries
    events: EventRepository
    transitions: TransitionRepository
    feed: Feed

    async def get(self, workspace_id: UUID, job_id: UUID) -> Job:
        """The job; raises NotFoundError, also for another workspace's."""
        job = await self.queries.get(workspace_id, job_id)
        if job is None:
            raise NotFoundError("job")
        return job

    async def graph(self, workspace_id: UUID, job_id: UUID) -> JsonObject:
        """The graph it executes; raises NotFoundError."""
        graph = await self.queries.graph(workspace_id, job_id)
        if graph is None:
            raise NotFoundError("job")
        return graph

    async def log(self, workspace_id: UUID, job_id: UUID) -> JobLog | None:
        """What the job has logged so far, None while that is nothing; raises NotFoundError."""
        job = await self.get(workspace_id, job_id)
        lines = await self.events.log_lines(job_id)
        return JobLog(job, lines) if lines else None

    async def cancel(self, workspace_id: UUID, job_id: UUID) -> Job:
        """Cancel, or ask its executor to; a finished job is returned as it is.

        After this has returned the job never ends in `succeeded`, unless it already had.
        """
        moved = await self.transitions.cancel(workspace_id, job_id)
        if moved is not None:
            self.feed.moved(moved.told())
            log.info("cancel taken", extra={**moved.ids(), "status": moved.status})
        return await self.get(workspace_id, job_id)

    async def page(
        self,
        workspace_id: UUID,
        *,
        cursor: str | None,
        limit: int,
        wanted: JobFilter,
    ) -> tuple[list[Job], str | None]:
        """Newest first, and the cursor of the next page; raises AppError `invalid_cursor`."""
        jobs = await self.queries.list(
            workspace_id,
            before=_read_cursor(cursor) if cursor else None,
            limit=limit + 1,
            wanted=wanted,
        )
        if len(jobs) <= limit:
            return jobs, None
        return jobs[:limit], _cursor(jobs[limit - 1].id)


def _cursor(job_id: UUID) -> str:
    # A place, nothing else: the workspace always comes from the caller's key.
    return base64.urlsafe_b64encode(job_id.bytes).decode().rstrip("=")


def _read_cursor(cursor: str) -> UUID:
    try:
        return UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise AppError(400, "invalid_cursor", "This cursor is not one of ours.") from error
