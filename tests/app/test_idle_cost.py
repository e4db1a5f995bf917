"""What an idle front door asks the database, counted: its duties are all that speaks."""

import asyncio
import time
from typing import LiteralString

from app.db.postgres import Database, Params, Row, open_database
from app.events.feed import Feed
from app.events.hub import EventHub
from app.health import Readiness
from app.jobs.notice import JobNotices, LastingLinks
from app.jobs.reaper import Reaper
from app.jobs.redispatch import Redispatch
from app.jobs.repository.queries import JobQueries
from app.jobs.repository.ready import ReadyRepository
from app.maintenance.repository import MaintenanceRepository
from app.maintenance.service import Maintenance
from app.safe_http import open_safe_http
from app.secret import Keyring
from app.webhooks.courier import Courier
from app.webhooks.duties import WebhookRound
from app.webhooks.repository.outbox import OutboxRepository
from app.webhooks.signing import Signing
from tests.app.conftest import machine_of

WATCHED_S = 8.0
REAP_EVERY_S = 5.0
"""The default of COMFYBURST_REAP_EVERY_S."""


class CountingDatabase(Database):
    """A database that counts what it is asked."""

    asked = 0

    async def one(self, sql: LiteralString, params: Params | None = None) -> Row | None:
        CountingDatabase.asked += 1
        return await super().one(sql, params)

    async def all(self, sql: LiteralString, params: Params | None = None) -> list[Row]:
        CountingDatabase.asked += 1
        return await super().all(sql, params)


async def test_the_duties_cost_at_most_a_statement_a_second(database_url: str) -> None:
    async with open_database(database_url, size=2) as opened, open_safe_http() as http:
        database = CountingDatabase(opened.pool)
        queries, links = JobQueries(database), LastingLinks("http://127.0.0.1:8000")
        courier = Courier(
            OutboxRepository(database, lease_s=60.0),
            http,
            Signing(Keyring(b"k" * 32)),
            JobNotices(queries, links).render,
            timeout_s=15.0,
        )
        feed = Feed(EventHub(), None, lambda: None)
        reaping = (await machine_of(database)).reaping
        duties = Maintenance(
            MaintenanceRepository(database),
            (
                Reaper(reaping, feed, Readiness(database).confirmed, REAP_EVERY_S),
                Redispatch(ReadyRepository(database), lambda _: None),
                WebhookRound(courier.wake),
            ),
        )
        work = asyncio.gather(duties.run(), courier.run())
        await asyncio.sleep(1.5)  # the first round of everything
        before, started = CountingDatabase.asked, time.monotonic()
        await asyncio.sleep(WATCHED_S)
        asked, seconds = CountingDatabase.asked - before, time.monotonic() - started
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    assert 0 < asked <= seconds
