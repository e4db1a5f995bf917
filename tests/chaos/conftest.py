"""One stack for the tests of a module, where what they do to it can be undone."""

from collections.abc import Generator

import pytest

from tests.chaos.stacks import Chaos, stack_behind_a_proxy
from tests.running import Running


@pytest.fixture(scope="module")
def chaos(tmp_path_factory: pytest.TempPathFactory) -> Generator[Chaos]:
    """A stack with short leases, its worker behind a proxy."""
    with stack_behind_a_proxy(tmp_path_factory.mktemp("chaos")) as chaos:
        yield chaos


@pytest.fixture
def stack(chaos: Chaos) -> Generator[Running]:
    """The stack of the module; the proxy is healed before and after."""
    chaos.proxy.heal()
    yield chaos.stack
    chaos.proxy.heal()
