"""The TypeScript SDK before a front door whose worker the tests play themselves."""

import pytest

from tests.app.conftest import House
from tests.conformance.clients.front import Front
from tests.conformance.clients.installed import CLIENTS
from tests.conformance.clients.node import Sdk, compile_programs


@pytest.fixture(scope="session")
def programs() -> None:
    """Compiled, once."""
    compile_programs(CLIENTS)


@pytest.fixture
def sdk(programs: None, front: Front, house: House) -> Sdk:
    """Alice's programs."""
    return Sdk(CLIENTS, front.url, house.alice.key)
