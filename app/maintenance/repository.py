"""SQL of the election: one holder at a time, by a conditional UPDATE that works through any pooler."""

from dataclasses import dataclass
from typing import LiteralString

from app.db.postgres import Database

HOLD: LiteralString = """
update app.maintenance
set holder = %(holder)s, until = now() + make_interval(secs => %(hold_s)s)
where name = 'duties' and (holder = %(holder)s or until < now())
returning holder
"""
LET_GO: LiteralString = """
update app.maintenance set until = '-infinity' where name = 'duties' and holder = %(holder)s
"""


@dataclass(frozen=True, slots=True)
class MaintenanceRepository:
    """Who does the duties."""

    database: Database

    async def hold(self, holder: str, hold_s: float) -> bool:
        """Become or stay the holder; False while another is."""
        row = await self.database.one(HOLD, {"holder": holder, "hold_s": hold_s})
        return row is not None

    async def let_go(self, holder: str) -> None:
        """Let another take over at once."""
        await self.database.run(LET_GO, {"holder": holder})
