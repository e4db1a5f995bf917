"""Real servers for the whole session, a fresh database for each test that asks for one."""

import asyncio
import itertools
import os
import shutil
import signal
import tempfile
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


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start: a job in the background of a shell ignores it, as do its children."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
_ROOM_BYTES = 2 << 30


@contextmanager
def quick_folder() -> Generator[Path]:
    """A folder in memory where there is room: copying a database is seven times quicker there."""
    try:
        has_room = shutil.disk_usage(_SHARED_MEMORY).free > _ROOM_BYTES
    except OSError:
        has_room = False
    place = _SHARED_MEMORY if has_room and os.access(_SHARED_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="comfyburst-test-", dir=place) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres() -> Generator[EmbeddedPostgres]:
    """Postgres 18, without fsync."""
    with quick_folder() as folder, running_postgres(folder / "pg", fsync=False) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres: EmbeddedPostgres) -> str:
    """Name of a migrated database that is copied for each test."""
    return make_template(postgres)


def make_template(postgres: EmbeddedPostgres) -> str:
    """Migrate a database to be copied; returns its name."""
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
