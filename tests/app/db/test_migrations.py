"""The migrations: applied once, by whoever comes first, and nobody but the owner may read a row."""

import asyncio
from collections.abc import Generator

import psycopg
import pytest
from psycopg import AsyncConnection

from app.db.migrate import known_migrations, migrate, pending
from app.db.postgres import Database, open_database
from app.jobs.repository.transitions import Fence
from infra.local.postgres import EmbeddedPostgres, running_postgres
from tests.app.conftest import machine_of


async def test_the_second_time_nothing_is_applied(database_url: str) -> None:
    assert await migrate(database_url) == []
    async with await AsyncConnection.connect(database_url) as connection:
        assert await pending(connection) == []


async def test_history_is_kept_where_the_supabase_cli_looks(database: Database) -> None:
    rows = await database.all("select * from supabase_migrations.schema_migrations")
    assert [(r["version"], r["name"]) for r in rows] == [
        (m.version, m.name) for m in known_migrations()
    ]
    assert all(row["statements"] for row in rows)


async def test_processes_that_start_at_once_apply_each_migration_once(
    postgres: EmbeddedPostgres,
) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("create database at_once")
    applied = await asyncio.gather(*(migrate(postgres.url_of("at_once")) for _ in range(4)))
    assert sorted(len(versions) for versions in applied) == [0, 0, 0, len(known_migrations())]


async def test_every_table_has_row_level_security_and_no_policy(database: Database) -> None:
    open_tables = await database.all(
        "select relname from pg_class where relnamespace = 'app'::regnamespace "
        "and relkind = 'r' and not relrowsecurity"
    )
    assert open_tables == []
    assert await database.all("select 1 from pg_policies where schemaname = 'app'") == []


async def test_nobody_but_the_owner_holds_a_privilege(database: Database) -> None:
    grants = await database.all(
        "select grantee, table_name from information_schema.role_table_grants "
        "where table_schema = 'app' and grantee <> current_user"
    )
    assert grants == []
    usage = await database.one("select has_schema_privilege('public', 'app', 'usage') as anybody")
    assert usage == {"anybody": False}


async def test_every_foreign_key_that_is_searched_has_an_index(database: Database) -> None:
    """Deleting a workspace or a job must not scan what refers to it."""
    missing = await database.all(
        """
        select c.conrelid::regclass::text as referring, a.attname
        from pg_constraint c
        join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
        where c.contype = 'f' and c.connamespace = 'app'::regnamespace and not exists (
            select 1 from pg_index i
            where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1])
        """
    )
    assert missing == []


@pytest.fixture(scope="module")
def postgres_16(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """The older major version that hosted databases run."""
    with running_postgres(tmp_path_factory.mktemp("pg16"), major=16, fsync=False) as server:
        yield server.url


async def test_every_statement_runs_on_postgres_16_as_well(postgres_16: str) -> None:
    await migrate(postgres_16)
    error = {"code": "comfyui_crashed", "message": "x"}
    async with open_database(postgres_16, size=2) as database:
        version = await database.one("show server_version_num")
        assert version is not None
        assert version["server_version_num"].startswith("16")
        machine = await machine_of(database)
        fence = await machine.start()
        assert await machine.transitions.progress(fence, {"value": 0.1})
        assert await machine.transitions.log(fence, 1, {"level": "info", "message": "x"})
        assert await machine.transitions.fail(fence, 2, error, retryable=True, backoff_s=0)
        again = await machine.claim()
        assert again is not None
        fence = Fence(fence.job_id, again.moved.epoch)
        assert await machine.transitions.interrupt(fence, 1, error, restarts=False)
        assert await machine.transitions.cancel(machine.workspace_id, fence.job_id)
        fence = await machine.start()
        assert await machine.transitions.succeed(fence, 1, {})
        await machine.tick_in_time()
        assert await machine.reaping.reap() == []
