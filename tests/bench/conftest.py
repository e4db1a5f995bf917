"""The bench measures durability too: its Postgres syncs to disk. What it found is one table at its end."""

from collections.abc import Generator

import pytest

from infra.local.postgres import EmbeddedPostgres, running_postgres
from tests.bench.goals import Goals
from tests.bench.history import ROWS, seed
from tests.conftest import fresh_database, make_template

_GOALS = pytest.StashKey[Goals]()


@pytest.fixture(scope="session")
def goals(pytestconfig: pytest.Config) -> Goals:
    """Where a test writes what it has measured."""
    return pytestconfig.stash.setdefault(_GOALS, Goals())


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table."""
    found = config.stash.get(_GOALS, None)
    if found and found.figures:
        terminalreporter.section("goals (docs/reliability.md)")
        for line in found.lines():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Generator[EmbeddedPostgres]:
    """Postgres 18 as in production."""
    with running_postgres(tmp_path_factory.mktemp("pg"), fsync=True) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres: EmbeddedPostgres) -> str:
    """On that server, not on the one of the tests that measure from elsewhere."""
    return make_template(postgres)


@pytest.fixture(scope="session")
def long_history(postgres: EmbeddedPostgres, migrated_template: str) -> Generator[str]:
    """A database with COMFYBURST_BENCH_ROWS jobs; yields its URL."""
    with fresh_database(postgres, migrated_template) as url:
        seed(url, ROWS)
        yield url
