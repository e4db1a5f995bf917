"""Applies `migrations/*.sql` in order, each in one transaction, and records them as the Supabase CLI does.

History lives in `supabase_migrations.schema_migrations(version, statements, name)`, the CLI's own
table, so `supabase db push` and this migrator agree about what has been applied.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString, cast

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

MIGRATIONS = Path(__file__).parent / "migrations"

_HISTORY = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (
    version text primary key, statements text[], name text);
"""
_APPLIED = "select version from supabase_migrations.schema_migrations"
_RECORD = """
insert into supabase_migrations.schema_migrations (version, statements, name) values (%s, %s, %s)
"""
_ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtext('comfyburst migrations'))"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file `VERSION_name.sql`."""

    version: str
    name: str
    sql: str

    @classmethod
    def read(cls, path: Path) -> "Migration":
        """Split `0001_core.sql` into its version and name."""
        version, _, name = path.stem.partition("_")
        return cls(version=version, name=name, sql=path.read_text())


def known_migrations(folder: Path = MIGRATIONS) -> list[Migration]:
    """All files, in the order of their versions."""
    return [Migration.read(path) for path in sorted(folder.glob("*.sql"))]


async def migrate(database_url: str) -> list[str]:
    """Bring the database up to date; returns the versions applied now.

    Raises:
        psycopg.Error: the database cannot be reached, or a migration failed and was rolled back.
    """
    applied_now: list[str] = []
    async with await AsyncConnection.connect(database_url, autocommit=True) as connection:
        for migration in known_migrations():
            async with connection.transaction():
                if await _apply(connection, migration):
                    applied_now.append(migration.version)
    return applied_now


async def pending(connection: AsyncConnection[Any]) -> list[str]:
    """Versions that this code has and the database has not."""
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute("select to_regclass('supabase_migrations.schema_migrations') is not null")
    row = await cursor.fetchone()
    applied = await _versions(connection) if row and row[0] else set[str]()
    return [m.version for m in known_migrations() if m.version not in applied]


async def _versions(connection: AsyncConnection[Any]) -> set[str]:
    cursor = connection.cursor(row_factory=tuple_row)
    await cursor.execute(_APPLIED)
    return {row[0] for row in await cursor.fetchall()}


async def _apply(connection: AsyncConnection[Any], migration: Migration) -> bool:
    # Two processes may start at once: the lock ends with the transaction, so no pooler keeps it.
    await connection.execute(_ONE_AT_A_TIME)
    await connection.execute(_HISTORY)
    if migration.version in await _versions(connection):
        return False
    await connection.execute(cast(LiteralString, migration.sql))
    await connection.execute(_RECORD, (migration.version, [migration.sql], migration.name))
    return True
