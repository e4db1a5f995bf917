"""The duty that ends the life of jobs and of idempotency keys."""

import logging
from dataclasses import dataclass

from app.jobs.repository.retention import BATCH, RetentionRepository

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retention:
    """A duty. Two of them at once do no harm: rows are locked and skipped."""

    repository: RetentionRepository
    every_s: float
    name: str = "retention"

    async def run(self, holder: str) -> None:
        """Everything that is past its time, in batches."""
        del holder
        jobs = 0
        while (count := await self.repository.delete_expired()) > 0:
            jobs += count
        while await self.repository.forget_keys() == BATCH:
            pass
        if jobs:
            log.info("jobs past their retention deleted", extra={"jobs": jobs})
