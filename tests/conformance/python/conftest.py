"""The Python SDK, unmodified, before a front door whose worker the tests play themselves.

Docstrings name the tests of the specification they hold (facts of Comfy API v2, §9) as `v2.7`;
`test_table.py` sees to it that none is missing. Every test runs with both clients.
"""

from collections.abc import Generator
from typing import cast

import pytest
from comfy_sdk import Comfy

from tests.app.conftest import House
from tests.conformance.clients.front import Front
from tests.conformance.python.flavours import Flavour, opened


@pytest.fixture(params=["sync", "async"])
def flavour(request: pytest.FixtureRequest) -> Flavour:
    """Which of the two clients."""
    return cast(Flavour, request.param)


@pytest.fixture
def comfy(flavour: Flavour, front: Front, house: House) -> Generator[Comfy]:
    """Alice's client."""
    with opened(flavour, front.url, house.alice.key) as comfy:
        yield comfy
