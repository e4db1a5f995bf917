"""The duties about webhooks: what others left behind is delivered, what has had its time goes."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from app.webhooks.repository.endpoints import EndpointRepository
from app.webhooks.repository.outbox import OutboxRepository

log = logging.getLogger(__name__)

BATCH: Final = 500
DELETED_KEPT_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class WebhookRound:
    """A duty: wakes the holder's courier for retries whose time has come, and for what others left.

    Two of them at once do no harm: rows are locked and skipped.
    """

    wake: Callable[[], None]
    every_s: float = 10.0
    name: str = "webhooks"

    async def run(self, holder: str) -> None:
        """Look once; the attempts themselves are made elsewhere, so that no receiver holds us."""
        del holder
        self.wake()


@dataclass(frozen=True, slots=True)
class WebhookSweep:
    """A duty. Deliveries of a job go with the job; tests and deleted endpoints go here."""

    outbox: OutboxRepository
    endpoints: EndpointRepository
    retention_s: float
    every_s: float
    name: str = "sweep webhooks"

    async def run(self, holder: str) -> None:
        """Everything that is due, in batches."""
        del holder
        while await self.outbox.sweep(self.retention_s, BATCH) == BATCH:
            pass
        while await self.endpoints.sweep(DELETED_KEPT_S, BATCH) == BATCH:
            pass
