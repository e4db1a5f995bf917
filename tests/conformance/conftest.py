"""One stack for all conformance tests: they only add jobs to it."""

from collections.abc import Generator

import pytest

from tests.running import Running, running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """The whole product with the embedded engine and its probe nodes."""
    with running(tmp_path_factory.mktemp("stack") / "state") as stack:
        yield stack
