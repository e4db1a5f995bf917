"""What official clients are held against: a front door with a worker that the tests play, or the stack."""

from collections.abc import Generator

import pytest

from app.config import Settings
from tests.app.conftest import House, opened_house
from tests.conformance.clients.front import Front, fronting
from tests.running import Running, running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """The whole product with the embedded engine and its probe nodes: tests only add jobs to it."""
    with running(tmp_path_factory.mktemp("stack") / "state") as stack:
        yield stack


@pytest.fixture
def house(settings: Settings) -> Generator[House]:
    """A front door with a worker that does what a test tells it."""
    with opened_house(settings) as house:
        yield house


@pytest.fixture
def front(house: House) -> Generator[Front]:
    """What stands before it, keeps a record and may answer in its place."""
    with fronting(house.url) as front:
        yield front
