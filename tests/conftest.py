"""Real servers for the whole session, a fresh database for each test that asks for one."""

import asyncio
import itertools
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis
from psycopg.sql import SQL, Identifier

from app.config import Settings
from app.db.migrate import migrate
from infra.local.postgres import EmbeddedPostgres, running_postgres
from infra.local.valkey import running_valkey

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Generator[EmbeddedPostgres]:
    """Postgres 18, without fsync."""
    with running_postgres(tmp_path_factory.mktemp("pg"), fsync=False) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres: EmbeddedPostgres) -> str:
    """Name of a migrated database that is copied for each test."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("create database template_base")
    asyncio.run(migrate(postgres.url_of("template_base")))
    return "template_base"


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, migrated_template: str) -> Generator[str]:
    """A migrated database of its own."""
    with fresh_database(postgres, migrated_template) as url:
        yield url


@contextmanager
def fresh_database(postgres: EmbeddedPostgres, template: str) -> Generator[str]:
    """A copy of a database, dropped at the end; yields its URL."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        names = {"name": Identifier(name), "template": Identifier(template)}
        connection.execute(SQL("create database {name} template {template}").format(**names))
        yield postgres.url_of(name)
        connection.execute(SQL("drop database {name} with (force)").format(**names))


@pytest.fixture(scope="session")
def valkey_url_of_session(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A real Valkey."""
    with running_valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest.fixture
def redis_url(valkey_url_of_session: str) -> str:
    """A real Valkey, emptied."""
    with redis.Redis.from_url(valkey_url_of_session) as client:
        client.flushall()
    return valkey_url_of_session


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def settings(database_url: str, state: Path, redis_url: str) -> Settings:
    """Of a front door with everything beside it."""
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        state=state,
        database_pool_size=4,
        log_level="warning",
    )
