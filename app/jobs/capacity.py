"""How many jobs of a workspace may wait: a guard against a loop that submits, not an account.

Counted at most once a second and exactly before anything is refused, so that a submit costs no
statement more. Several front doors may each overshoot by what they take in that second.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from app.errors import AppError
from app.jobs.repository.ready import ReadyRepository

FRESH_S: Final = 1.0
RETRY_AFTER_S: Final = 5
_REMEMBERED: Final = 10_000


@dataclass(slots=True)
class _Count:
    """Jobs that waited when they were counted, and those taken since."""

    waiting: int
    counted_at: float


@dataclass(frozen=True, slots=True)
class WaitingRoom:
    """Knows whether one more job of a workspace may wait."""

    ready: ReadyRepository
    max_queued: int
    clock: Callable[[], float] = time.monotonic
    _counts: dict[UUID, _Count] = field(default_factory=dict[UUID, _Count])

    async def enter(self, workspace_id: UUID, jobs: int = 1) -> None:
        """Make room for so many jobs.

        Raises:
            AppError: 429 `queue_full`.
        """
        count = self._counts.get(workspace_id)
        if count is None or self._is_stale(count) or count.waiting + jobs > self.max_queued:
            count = await self._count(workspace_id)
        if count.waiting + jobs > self.max_queued:
            raise AppError(
                429,
                "queue_full",
                f"{count.waiting} jobs of this workspace wait already, and at most "
                f"{self.max_queued} may. Submit again when some have started, or cancel some.",
                headers={"Retry-After": str(RETRY_AFTER_S)},
            )
        count.waiting += jobs

    async def _count(self, workspace_id: UUID) -> _Count:
        if len(self._counts) >= _REMEMBERED:
            self._counts.clear()
        counted_at = self.clock()
        waiting = await self.ready.waiting(workspace_id, at_most=self.max_queued)
        count = self._counts[workspace_id] = _Count(waiting, counted_at)
        return count

    def _is_stale(self, count: _Count) -> bool:
        return self.clock() - count.counted_at > FRESH_S
