"""The connection pool and what every repository uses of it: one statement at a time, or a transaction."""

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, LiteralString, TypeVar

import orjson
from psycopg import AsyncConnection, AsyncCursor, InterfaceError, OperationalError
from psycopg.abc import PQGen
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row
from psycopg.types.json import set_json_dumps, set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from app.errors import DatabaseUnavailableError

log = logging.getLogger(__name__)

set_json_dumps(orjson.dumps)
set_json_loads(orjson.loads)

Row = dict[str, Any]
Params = Mapping[str, Any]
Result = TypeVar("Result")

SLACK_S: Final = 1.0
"""So much later than `statement_timeout`, which the server keeps by itself as long as it lives."""


class SilentServerError(OperationalError):
    """Postgres took a statement and does not answer: frozen, or behind a network that swallows."""


class PatientConnection(AsyncConnection[DictRow]):
    """Gives up on a server that falls silent, and ends: what becomes of the statement is unknown."""

    answer_within_s: float | None = None

    async def wait(
        self,
        gen: PQGen[Result],
        interval: float = 0.1,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's signature
    ) -> Result:
        """Wait for an answer of the server: all of psycopg's reads come through here."""
        try:
            return await super().wait(
                gen, interval, self.answer_within_s if timeout is None else timeout
            )
        except OperationalError as error:
            if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                raise
            self.pgconn.finish()
            raise SilentServerError("the server does not answer") from error


@dataclass(frozen=True, slots=True)
class Database:
    """A pool of autocommitting connections.

    Every method raises DatabaseUnavailableError (503) when Postgres cannot be reached or does not
    answer in time.
    """

    pool: AsyncConnectionPool[PatientConnection]

    async def one(self, sql: LiteralString, params: Params | None = None) -> Row | None:
        """The first row of one statement, committed."""
        async with self._cursor() as cursor:
            await cursor.execute(sql, params)
            return await cursor.fetchone()

    async def all(self, sql: LiteralString, params: Params | None = None) -> list[Row]:
        """All rows of one statement, committed."""
        async with self._cursor() as cursor:
            await cursor.execute(sql, params)
            return await cursor.fetchall()

    async def run(self, sql: LiteralString, params: Params | None = None) -> int:
        """Execute one statement; returns the number of rows it touched."""
        async with self._cursor() as cursor:
            await cursor.execute(sql, params)
            return cursor.rowcount

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncCursor[DictRow]]:
        """A cursor in a transaction of its own."""
        async with (
            self._connection() as connection,
            connection.transaction(),
            connection.cursor() as cursor,
        ):
            yield cursor

    @asynccontextmanager
    async def _cursor(self) -> AsyncGenerator[AsyncCursor[DictRow]]:
        async with self._connection() as connection, connection.cursor() as cursor:
            yield cursor

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[PatientConnection]:
        try:
            async with self.pool.connection() as connection:
                yield connection
        except SilentServerError as error:
            # No look at the other connections: each would cost as much patience.
            log.warning("database unavailable: %s", error)
            raise DatabaseUnavailableError from error
        except (OperationalError, InterfaceError, PoolTimeout) as error:
            log.warning("database unavailable: %s", _first_line(error))
            # One broken connection after a restart of Postgres means that all are: replace them now.
            await self.pool.check()
            raise DatabaseUnavailableError from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__


@asynccontextmanager
async def open_database(
    url: str, *, size: int = 10, timeout_s: float = 5.0, pooler: bool = False
) -> AsyncGenerator[Database]:
    """Open a pool; it connects in the background, so that we start while Postgres is away.

    Args:
        url: `postgresql://…`
        size: connections at most
        timeout_s: wait for a connection, and for one statement, at most so long
        pooler: True behind a transaction pooler, which knows no prepared statements or options
    """
    kwargs: dict[str, Any] = {"autocommit": True, "row_factory": dict_row, "connect_timeout": 5}
    if pooler:
        kwargs["prepare_threshold"] = None
    else:
        kwargs["options"] = f"-c statement_timeout={int(timeout_s * 1000)} -c timezone=UTC"

    async def configure(connection: PatientConnection) -> None:
        connection.answer_within_s = timeout_s + SLACK_S

    pool: AsyncConnectionPool[PatientConnection] = AsyncConnectionPool(
        url,
        connection_class=PatientConnection,
        configure=configure,
        kwargs=kwargs,
        min_size=min(2, size),
        max_size=size,
        timeout=timeout_s,
        open=False,
        name="front door",
        reconnect_timeout=2.0,
    )
    await pool.open(wait=False)
    try:
        yield Database(pool)
    finally:
        await pool.close(timeout=1.0)
