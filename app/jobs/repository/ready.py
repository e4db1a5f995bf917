"""Which backends have jobs that could start now."""

from dataclasses import dataclass
from typing import LiteralString

from app.db.postgres import Database

READY: LiteralString = """
select backend from (values ('local'), ('modal')) as known (backend)
where exists (select 1 from app.jobs j
    where j.status = 'queued' and j.backend = known.backend and j.run_after <= now())
"""


@dataclass(frozen=True, slots=True)
class ReadyRepository:
    """Which backends have work."""

    database: Database

    async def backends(self) -> list[str]:
        """Those with a row that could start now."""
        return [row["backend"] for row in await self.database.all(READY)]
