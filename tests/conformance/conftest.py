"""One stack for all conformance tests: they only add jobs to it."""

from collections.abc import Generator

import pytest

from tests.running import Running, running


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    """The whole product with the embedded engine and its probe nodes."""
    with running(tmp_path_factory.mktemp("stack") / "state") as stack:
        yield stack


@pytest.fixture(autouse=True)
def as_the_sdk_wants_it(stack: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """The official clients read these two and nothing else."""
    monkeypatch.setenv("COMFY_BASE_URL", stack.url)
    monkeypatch.setenv("COMFY_API_KEY", stack.api_key)
