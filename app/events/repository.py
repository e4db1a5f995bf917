"""SQL of the job event log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString
from uuid import UUID

from app.db.postgres import Database

PAGE = 500

AFTER: LiteralString = """
select e.seq, e.epoch, e.type, e.data, e.at from app.job_events e
where e.job_id = %(job_id)s and e.seq > %(seq)s order by e.seq limit 500
"""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One transition of a job. `seq` is dense per job."""

    seq: int
    epoch: int
    type: Literal["status", "output", "log"]
    data: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class EventRepository:
    """Reads of the log; each transition's own statement writes it."""

    database: Database

    async def after(self, job_id: UUID, seq: int) -> list[JobEvent]:
        """The next events of a job, a page at most. The caller has checked whose job it is."""
        rows = await self.database.all(AFTER, {"job_id": job_id, "seq": seq})
        return [JobEvent(**row) for row in rows]
