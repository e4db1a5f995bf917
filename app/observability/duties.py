"""The duties of maintenance in numbers: when each last ran, how long it takes, how often it fails."""

import time
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Summary

from app.maintenance.service import Duty


class DutyMetrics:
    """The instruments. Only the front door that holds maintenance has values."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.last_run = Gauge(
            "comfyburst_duty_last_success_timestamp_seconds",
            "When a duty last ended well, in Unix time.",
            ("duty",),
            registry=registry,
        )
        self.seconds = Summary(
            "comfyburst_duty_seconds", "How long a duty took.", ("duty",), registry=registry
        )
        self.errors = Counter(
            "comfyburst_duty_errors", "Runs of a duty that failed.", ("duty",), registry=registry
        )


@dataclass(frozen=True, slots=True)
class TimedDuty:
    """A duty that is watched."""

    duty: Duty
    metrics: DutyMetrics

    @property
    def name(self) -> str:
        """The duty's own."""
        return self.duty.name

    @property
    def every_s(self) -> float:
        """The duty's own."""
        return self.duty.every_s

    async def run(self, holder: str) -> None:
        """Do it, and note how it went."""
        with (
            self.metrics.seconds.labels(self.name).time(),
            self.metrics.errors.labels(self.name).count_exceptions(),
        ):
            await self.duty.run(holder)
        self.metrics.last_run.labels(self.name).set(time.time())
