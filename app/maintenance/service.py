"""Elects a holder among the front doors and runs the duties of the slices."""

import asyncio
import contextlib
import logging
import secrets
import time
from dataclasses import dataclass, field
from typing import Final, Protocol

from app.errors import AppError
from app.maintenance.repository import MaintenanceRepository

log = logging.getLogger(__name__)

HOLD_S: Final = 10.0
STEP_S: Final = 1.0


class Duty(Protocol):
    """Something to be done every so often, harmless when done twice."""

    @property
    def name(self) -> str:
        """For logs."""
        ...

    @property
    def every_s(self) -> float:
        """Pause between two runs."""
        ...

    async def run(self, holder: str) -> None:
        """Do it once."""
        ...


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Any number of front doors run this; one at a time acts.

    Idle cost: with the duties of reaping and waking, under one statement a second.
    """

    repository: MaintenanceRepository
    duties: tuple[Duty, ...]
    holder: str = field(default_factory=lambda: secrets.token_hex(8))

    async def run(self) -> None:
        """Until canceled."""
        due_at = dict.fromkeys((duty.name for duty in self.duties), 0.0)
        renew_at, holding = 0.0, False
        try:
            while True:
                now = time.monotonic()
                if now >= renew_at:
                    holding = await self._hold()
                    renew_at = now + (HOLD_S / 2 if holding else HOLD_S / 4)
                for duty in self.duties:
                    if holding and now >= due_at[duty.name]:
                        due_at[duty.name] = now + duty.every_s
                        await self._do(duty)
                await asyncio.sleep(min(STEP_S, *(duty.every_s for duty in self.duties)))
        finally:
            if holding:
                with contextlib.suppress(AppError, TimeoutError):
                    async with asyncio.timeout(1.0):
                        await self.repository.let_go(self.holder)

    async def _hold(self) -> bool:
        try:
            return await self.repository.hold(self.holder, HOLD_S)
        except AppError:
            return False

    async def _do(self, duty: Duty) -> None:
        try:
            await duty.run(self.holder)
        except AppError as error:
            log.warning("duty %s: %s", duty.name, error)
        except Exception:  # one broken duty must not end the others
            log.exception("duty %s failed", duty.name)
