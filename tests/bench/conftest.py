"""The bench measures durability too: its Postgres syncs to disk."""

from collections.abc import Generator

import pytest

from infra.local.postgres import EmbeddedPostgres, running_postgres
from tests.conftest import make_template


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Generator[EmbeddedPostgres]:
    """Postgres 18 as in production."""
    with running_postgres(tmp_path_factory.mktemp("pg"), fsync=True) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres: EmbeddedPostgres) -> str:
    """On that server, not on the one of the tests that measure from elsewhere."""
    return make_template(postgres)
