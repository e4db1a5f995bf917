"""What is told of a running application, put together: numbers, traces, and the ids in its log."""

from dataclasses import dataclass
from typing import Self

from fastapi import FastAPI
from redis.asyncio import Redis

from app.config import Settings
from app.db.postgres import Database
from app.events.feed import Feed
from app.events.hub import EventHub, Move
from app.logs import learnt
from app.maintenance.service import Duty
from app.observability.duties import TimedDuty
from app.observability.jobs import changes_status
from app.observability.metrics import Metrics, Scrape
from app.observability.requests import RequestMeter
from app.observability.state import Watch
from app.observability.storage import MeteredStorage
from app.observability.telemetry import Tracing, open_tracing
from storage.protocol import Storage


@dataclass(frozen=True, slots=True)
class Observability:
    """Watches; changes nothing."""

    metrics: Metrics
    tracing: Tracing

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        return cls(Metrics(), open_tracing(settings.otlp_endpoint))

    def measure(self, app: FastAPI) -> None:
        """Count requests: around everything, what the gate refuses included."""
        app.add_middleware(RequestMeter, metrics=self.metrics.requests)

    def moved(self, move: Move) -> None:
        """A transition was committed here."""
        learnt(job_id=str(move.job_id), workspace_id=str(move.workspace_id))
        if changes_status(move):
            self.metrics.jobs.moved(move)
            self.tracing.moved(move)

    def storage(self, storage: Storage) -> Storage:
        """The same, counted."""
        return MeteredStorage(storage, self.metrics.storage)

    def duty(self, duty: Duty) -> Duty:
        """The same, timed."""
        return TimedDuty(duty, self.metrics.duties)

    def scrape(self, database: Database, redis: Redis | None, hub: EventHub, feed: Feed) -> Scrape:
        """What `/metrics` reads."""
        return Scrape(self.metrics, Watch(database, redis, hub, feed))
