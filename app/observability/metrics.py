"""All metrics of one application: a registry of its own, and the text a scraper reads."""

import asyncio
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, Histogram, Info, Metric, ProcessCollector
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from app.observability.duties import DutyMetrics
from app.observability.jobs import JobMetrics
from app.observability.requests import RequestMetrics
from app.observability.state import Snapshot, Watch, families
from app.observability.storage import StorageMetrics
from app.observability.webhooks import WebhookMetrics

LAG_EVERY_S: Final = 0.5
_LAG_SECONDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1)


class Metrics:
    """Everything that is counted while the application runs."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = RequestMetrics(self.registry)
        self.jobs = JobMetrics(self.registry)
        self.duties = DutyMetrics(self.registry)
        self.storage = StorageMetrics(self.registry)
        self.webhooks = WebhookMetrics(self.registry)
        self._lag = Histogram(
            "comfyburst_event_loop_lag_seconds",
            "How much later than asked the event loop woke a task.",
            buckets=_LAG_SECONDS,
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)
        Info("comfyburst_build", "What runs here.", registry=self.registry).info(
            {"version": version("comfyburst"), "python": platform.python_version()}
        )

    async def watch_loop(self) -> None:
        """Until canceled; two wake-ups a second."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_EVERY_S
            await asyncio.sleep(LAG_EVERY_S)
            self._lag.observe(max(0.0, loop.time() - due))


@dataclass(frozen=True, slots=True)
class Scrape:
    """Reads everything, for one reader."""

    metrics: Metrics
    watch: Watch

    async def text(self) -> bytes:
        """Prometheus' text format, written off the event loop: some milliseconds of Python."""
        seen = await self.watch.look()
        return await asyncio.to_thread(generate_latest, _Page(self.metrics.registry, seen))


@dataclass(frozen=True, slots=True)
class _Page(Collector):
    registry: CollectorRegistry
    seen: Snapshot

    def collect(self) -> Iterable[Metric]:
        """What was counted, without the creation times that double the series, and what is."""
        for metric in self.registry.collect():
            metric.samples = [s for s in metric.samples if not s.name.endswith("_created")]
            yield metric
        yield from families(self.seen)
