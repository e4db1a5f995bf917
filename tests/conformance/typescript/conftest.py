"""The TypeScript SDK before a front door whose worker the tests play themselves."""

from collections.abc import Generator

import pytest

from app.config import Settings
from tests.app.conftest import House, opened_house
from tests.conformance.clients.front import Front, fronting
from tests.conformance.clients.installed import CLIENTS
from tests.conformance.clients.node import Sdk, compile_programs


@pytest.fixture(scope="session")
def programs() -> None:
    """Compiled, once."""
    compile_programs(CLIENTS)


@pytest.fixture
def house(settings: Settings) -> Generator[House]:
    """A front door with a worker that does what a test tells it."""
    with opened_house(settings) as house:
        yield house


@pytest.fixture
def front(house: House) -> Generator[Front]:
    """What stands before it and keeps a record."""
    with fronting(house.url) as front:
        yield front


@pytest.fixture
def sdk(programs: None, front: Front, house: House) -> Sdk:
    """Alice's programs."""
    return Sdk(CLIENTS, front.url, house.alice.key)
