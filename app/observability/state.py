"""What is true at the moment of a scrape: queues, stores, pool, readers.

Asked at most once in `FRESH_S`, however many scrape us; what cannot be known is left out, since
an invented zero would silence an alert.
"""

import asyncio
import time
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from psycopg import Error as PostgresError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.db.postgres import Database
from app.errors import AppError
from app.events.feed import Feed
from app.events.hub import EventHub
from app.observability.repository import Standing, StandingRepository

FRESH_S: Final = 5.0
REST: Final = 50
"""For a deep queue the answer is kept longer: asking takes at most a fiftieth of the time."""
PATIENCE_S: Final = 1.0
"""A store that takes longer counts as down: a scrape must come back before Prometheus gives up."""

_NO_ANSWER: Final = (AppError, PostgresError, RedisError, OSError, TimeoutError)
"""Away, or there and not migrated."""

Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """As seen at one moment."""

    database_up: bool
    standing: Standing | None
    """None: could not be asked."""
    redis_up: bool | None
    """None without a Redis."""
    hints_reliable: bool | None
    readers: int
    pool: Mapping[str, int]


@dataclass(slots=True)
class Watch:
    """Looks, and shows what it saw to the registry."""

    database: Database
    redis: Redis | None
    hub: EventHub
    feed: Feed
    _ask_again_at: float = 0.0
    _database_up: bool = False
    _standing: Standing | None = None
    _redis_up: bool | None = None
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def look(self) -> Snapshot:
        """Fresh enough; never raises, never takes longer than `PATIENCE_S`."""
        async with self._one_at_a_time:
            if time.monotonic() >= self._ask_again_at:
                await self._ask()
        return Snapshot(
            database_up=self._database_up,
            standing=self._standing,
            redis_up=self._redis_up,
            hints_reliable=self.feed.reliable() if self.redis else None,
            readers=self.hub.readers(),
            pool=self.database.pool.get_stats(),
        )

    async def _ask(self) -> None:
        repository, began = StandingRepository(self.database), time.monotonic()
        answers, self._standing, self._redis_up = await asyncio.gather(
            _in_time(repository.answers()), _in_time(repository.read()), self._ping()
        )
        self._database_up = answers is True
        now = time.monotonic()
        rest_s = REST * (now - began) if self._database_up else 0.0
        self._ask_again_at = now + max(FRESH_S, rest_s)

    async def _ping(self) -> bool | None:
        if self.redis is None:
            return None
        ping = cast(Coroutine[Any, Any, bool], self.redis.ping())
        return await _in_time(ping) is not None


async def _in_time(question: Coroutine[Any, Any, Seen]) -> Seen | None:
    task = asyncio.create_task(question)
    # Not a time-out around it: a frozen Postgres keeps even a canceled statement waiting.
    await asyncio.wait({task}, timeout=PATIENCE_S)
    if not task.done():
        task.add_done_callback(lambda late: late.cancelled() or late.exception())
        task.cancel()
        return None
    try:
        return task.result()
    except _NO_ANSWER:
        return None


def families(seen: Snapshot) -> Iterable[Metric]:
    """The snapshot as metrics."""
    yield from _up(seen)
    if seen.standing is not None:
        yield from _queues(seen.standing)
    yield _gauge("comfyburst_readers", "Open streams and long polls.", seen.readers)
    yield from _pool(seen.pool)


def _up(seen: Snapshot) -> Iterable[Metric]:
    up = GaugeMetricFamily(
        "comfyburst_up", "Whether a store answered within a second.", labels=("store",)
    )
    up.add_metric(("database",), float(seen.database_up))
    if seen.redis_up is not None:
        up.add_metric(("redis",), float(seen.redis_up))
    yield up
    if seen.hints_reliable is not None:
        yield _gauge(
            "comfyburst_hints_reliable",
            "Whether hints between front doors are heard; if not, readers look by themselves.",
            float(seen.hints_reliable),
        )


def _queues(standing: Standing) -> Iterable[Metric]:
    jobs = GaugeMetricFamily(
        "comfyburst_jobs", "Jobs that have not ended.", labels=("backend", "status")
    )
    oldest = GaugeMetricFamily(
        "comfyburst_queue_oldest_ready_seconds",
        "How long the oldest job that could start has waited; 0 where none could.",
        labels=("backend",),
    )
    for depth in standing.depths:
        jobs.add_metric((depth.backend, depth.status), depth.jobs)
        if depth.status == "queued":
            oldest.add_metric((depth.backend,), depth.oldest_ready_s)
    yield jobs
    yield oldest
    if standing.tick_age_s is not None:
        yield _gauge(
            "comfyburst_reaper_tick_age_seconds",
            "Since the reaper of any front door last ticked.",
            standing.tick_age_s,
        )


def _pool(stats: Mapping[str, int]) -> Iterable[Metric]:
    for name, key, about in (
        ("size", "pool_size", "Connections of this process."),
        ("idle", "pool_available", "Connections that nobody uses."),
        ("waiting", "requests_waiting", "Requests that wait for a connection."),
    ):
        yield _gauge(f"comfyburst_database_pool_{name}", about, stats.get(key, 0))
    yield CounterMetricFamily(
        "comfyburst_database_pool_wait_seconds",
        "Time spent waiting for a connection.",
        stats.get("requests_wait_ms", 0) / 1_000,
    )
    yield CounterMetricFamily(
        "comfyburst_database_pool_errors",
        "Waits for a connection that ended without one.",
        stats.get("requests_errors", 0),
    )


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value)
