"""SQL of the job event log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, LiteralString
from uuid import UUID

from app.db.postgres import Database

PAGE: Final = 500  # the limit of the statements here
FIRST_ID: Final = UUID(int=0)

_EVENT: LiteralString = """
select e.job_id, e.seq, e.epoch, e.type, e.data, e.at from app.job_events e
"""
AFTER: LiteralString = f"""
{_EVENT} where e.job_id = %(job_id)s and e.seq > %(seq)s order by e.seq limit 500
"""
LOG_LINES: LiteralString = f"""
{_EVENT} where e.job_id = %(job_id)s and e.type = 'log' order by e.seq
"""
OF_WORKSPACE: LiteralString = f"""
{_EVENT} where e.workspace_id = %(workspace_id)s
  and (e.at, e.job_id, e.seq) > (%(at)s, %(job_id)s::uuid, %(seq)s::int)
order by e.at, e.job_id, e.seq limit 500
"""
OF_JOBS: LiteralString = f"""
{_EVENT} join unnest(%(job_ids)s::uuid[], %(seqs)s::int[]) as known (job_id, seq)
    on e.job_id = known.job_id and e.seq > known.seq
where e.workspace_id = %(workspace_id)s and e.at > %(floor)s
order by e.at, e.job_id, e.seq limit 500
"""
NOW: LiteralString = "select clock_timestamp() as now"


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One transition of a job. `seq` is dense per job; of one job, later events have later times."""

    job_id: UUID
    seq: int
    epoch: int
    type: Literal["status", "output", "log"]
    data: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of a workspace's events."""

    at: datetime
    job_id: UUID = FIRST_ID
    seq: int = 0


@dataclass(frozen=True, slots=True)
class EventRepository:
    """Reads of the log; each transition's own statement writes it."""

    database: Database

    async def after(self, job_id: UUID, seq: int) -> list[JobEvent]:
        """The next events of a job, a page at most. The caller has checked whose job it is."""
        rows = await self.database.all(AFTER, {"job_id": job_id, "seq": seq})
        return [JobEvent(**row) for row in rows]

    async def log_lines(self, job_id: UUID) -> list[JobEvent]:
        """All log lines of a job, bounded where they are written. The caller checked whose it is."""
        rows = await self.database.all(LOG_LINES, {"job_id": job_id})
        return [JobEvent(**row) for row in rows]

    async def of_workspace(self, workspace_id: UUID, place: Place) -> list[JobEvent]:
        """The events of a workspace after a place, a page at most."""
        params = {
            "workspace_id": workspace_id,
            "at": place.at,
            "job_id": place.job_id,
            "seq": place.seq,
        }
        return [JobEvent(**row) for row in await self.database.all(OF_WORKSPACE, params)]

    async def of_jobs(
        self, workspace_id: UUID, known: Mapping[UUID, int], floor: datetime
    ) -> list[JobEvent]:
        """Later events of these jobs than the seq known of each, and none as old as `floor`."""
        params = {
            "workspace_id": workspace_id,
            "job_ids": list(known),
            "seqs": list(known.values()),
            "floor": floor,
        }
        return [JobEvent(**row) for row in await self.database.all(OF_JOBS, params)]

    async def now(self) -> datetime:
        """The clock by which events are dated."""
        row = await self.database.one(NOW)
        assert row is not None, "a select without a table has a row"
        return row["now"]
