"""The migrations: applied once, by whoever comes first, and nobody but the owner may read a row."""

import asyncio
from collections.abc import Generator
from datetime import UTC, datetime
from typing import LiteralString, cast

import psycopg
import pytest
from psycopg import AsyncConnection

from app.assets.repository.sweeping import SweepRepository
from app.db.migrate import known_migrations, migrate, pending
from app.db.postgres import Database, open_database
from app.events.repository import EventRepository, Place
from app.jobs.repository.retention import RetentionRepository
from app.jobs.repository.transitions import Fence
from infra.local.postgres import EmbeddedPostgres, running_postgres
from tests.app.conftest import machine_of
from tests.app.webhooks.statements import webhooks_work
from tests.app.workflows.registry.statements import registry_works


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
    assert sorted(version for versions in applied for version in versions) == [
        m.version for m in known_migrations()
    ]


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
        await webhooks_work(machine)
        await registry_works(machine)
        fence = await machine.start()
        assert await machine.transitions.succeed(fence, 1, {})
        await machine.tick_in_time()
        assert await machine.reaping.reap() == []
        sweep = SweepRepository(database, after_s=0.0)
        assert [await sweep.expired(), await sweep.unpublished(), await sweep.loose()] == [0, 0, 0]
        retention = RetentionRepository(database, idempotency_s=0.0)
        assert [await retention.forget_keys(), await retention.delete_expired()] == [0, 0]
        events = EventRepository(database)
        assert (
            await events.of_workspace(machine.workspace_id, Place(datetime(2026, 1, 1, tzinfo=UTC)))
            != []
        )


ROWS_OF_0001: LiteralString = """
insert into app.workspaces (id, name) values ('00000000-0000-0000-0000-000000000001', 'w');
insert into app.jobs (id, workspace_id, backend, backend_reason, environment, graph,
    max_tries, start_by, deadline_s, expires_at, outputs)
values ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000001',
    'local', '', 'local', '{}', 1, now(), 1, now(), jsonb_build_array(jsonb_build_object('asset_id', '00000000-0000-0000-0000-000000000004')));
insert into app.blobs (id, workspace_id, size_bytes, storage_key)
values ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000001',
    1, 'where/it/lies');
insert into app.assets (id, workspace_id, blob_id, file_path, content_type, job_id)
values ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000001',
    '00000000-0000-0000-0000-000000000003', 'a.png', 'image/png',
    '00000000-0000-0000-0000-000000000002');
insert into app.job_events (job_id, seq, epoch, type, data)
values ('00000000-0000-0000-0000-000000000002', 1, 1, 'output', jsonb_build_object('asset_id', '00000000-0000-0000-0000-000000000004'));
create schema supabase_migrations;
create table supabase_migrations.schema_migrations (
    version text primary key, statements text[], name text);
insert into supabase_migrations.schema_migrations (version) values ('0001');
"""


async def test_jobs_of_before_keep_their_outputs_and_events(postgres: EmbeddedPostgres) -> None:
    """What 0002 makes of rows that 0001 wrote."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("create database upgraded")
    url = postgres.url_of("upgraded")
    first = known_migrations()[0]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(cast(LiteralString, first.sql))
        connection.execute(ROWS_OF_0001)
    assert await migrate(url) == [m.version for m in known_migrations()[1:]]
    async with open_database(url, size=2) as database:
        job = await database.one("select outputs from app.jobs")
        event = await database.one("select workspace_id, data from app.job_events")
        blob = await database.one("select loose_since from app.blobs")
    assert job is not None
    assert event is not None
    assert [output["storage_key"] for output in job["outputs"]] == ["where/it/lies"]
    assert event["data"]["storage_key"] == "where/it/lies"
    assert str(event["workspace_id"]).endswith("1")
    assert blob == {"loose_since": None}
