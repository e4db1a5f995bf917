"""One front door for all hostile input, and the proof after each test that nothing of it was kept."""

import time
from collections.abc import Generator
from pathlib import Path

import psycopg
import pytest

from infra.local.postgres import EmbeddedPostgres
from tests.app.conftest import House, lasting_house
from tests.app.hostile.wire import Wire

SOON_S = 5.0
KEPT = """
select (select count(*) from app.jobs) as jobs, (select count(*) from app.assets) as assets,
    (select count(*) from app.blobs where verified_at is not null) as blobs
"""


@pytest.fixture(scope="session")
def house(
    postgres: EmbeddedPostgres, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[House]:
    """A house without Redis: what is refused never gets that far."""
    with lasting_house(postgres, migrated_template, tmp_path_factory.mktemp("hostile")) as house:
        yield house


@pytest.fixture
def wire(house: House) -> Wire:
    """Bare sockets to it, with alice's key."""
    return Wire(house.url, house.alice.key)


@pytest.fixture
def nothing_kept(house: House) -> Generator[None]:
    """No job, no asset, no bytes, no temporary file more than before."""
    before = kept(house)
    yield
    assert kept(house) == before
    incoming = house.settings.state / "storage" / "incoming"
    until = time.monotonic() + SOON_S
    while list(incoming.glob("*")) and time.monotonic() < until:
        time.sleep(0.02)  # an answer may be sent before its file is gone
    assert list(incoming.glob("*")) == []


def kept(house: House) -> tuple[tuple[int, ...], list[Path]]:
    """What is in the tables and in the folder."""
    objects = house.settings.state / "storage" / "objects"
    with psycopg.connect(house.settings.database_url) as connection:
        row = connection.execute(KEPT).fetchone()
    assert row is not None
    return row, sorted(p for p in objects.rglob("*") if p.is_file())
