"""What waits: which backends have jobs that could start now, and how many a workspace has."""

from dataclasses import dataclass
from typing import LiteralString
from uuid import UUID

from app.db.postgres import Database

READY: LiteralString = """
select backend from (values ('local'), ('modal')) as known (backend)
where exists (select 1 from app.jobs j
    where j.status = 'queued' and j.backend = known.backend and j.run_after <= now())
"""

# Over the index of ready jobs, and never further than the answer needs.
WAITING: LiteralString = """
select count(*) as waiting from (
    select 1 from app.jobs
    where status = 'queued' and backend in ('local', 'modal') and workspace_id = %(workspace_id)s
    limit %(at_most)s) as counted
"""


@dataclass(frozen=True, slots=True)
class ReadyRepository:
    """What waits."""

    database: Database

    async def backends(self) -> list[str]:
        """Those with a row that could start now."""
        return [row["backend"] for row in await self.database.all(READY)]

    async def waiting(self, workspace_id: UUID, *, at_most: int) -> int:
        """Jobs of a workspace that wait, counted no further than that."""
        params = {"workspace_id": workspace_id, "at_most": at_most}
        row = await self.database.one(WAITING, params)
        return row["waiting"] if row else 0
