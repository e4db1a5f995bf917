"""A house whose webhooks may go to this machine, and a receiver."""

from collections.abc import Generator

import pytest

from app.config import Settings
from tests.app.conftest import House, opened_house
from tests.app.webhooks.receiver import Receiver, receiving


@pytest.fixture
def house(settings: Settings) -> Generator[House]:
    """A house of its own, quick to see what has passed."""
    quick = {"allow_private_urls": True, "reap_every_s": 0.2, "webhook_timeout_s": 2.0}
    with opened_house(settings.model_copy(update=quick)) as house:
        yield house


@pytest.fixture
def receiver() -> Generator[Receiver]:
    """Says 200 to everything."""
    with receiving() as receiver:
        yield receiver
