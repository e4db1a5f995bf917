"""The bench measures durability too: its Postgres syncs to disk."""

from collections.abc import Generator

import pytest

from infra.local.postgres import EmbeddedPostgres, running_postgres


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Generator[EmbeddedPostgres]:
    """Postgres 18 as in production."""
    with running_postgres(tmp_path_factory.mktemp("pg"), fsync=True) as server:
        yield server
