"""One fixture, `served`: each test that asks for it is run against every storage."""

import os
from collections.abc import AsyncGenerator, Generator

import pytest

from tests.storage import servers
from tests.storage.servers import Served, Server, opened

_NAMES = [
    "local",
    "moto",
    pytest.param("swift", marks=pytest.mark.s3server),
    *(["given"] if os.environ.get("S3_TEST_ENDPOINT") else []),
]


@pytest.fixture(scope="session", params=_NAMES)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Server]:
    """A storage that runs."""
    match request.param:
        case "local":
            postgres = request.getfixturevalue("postgres")
            template = request.getfixturevalue("migrated_template")
            with servers.local(postgres, template, tmp_path_factory.mktemp("local")) as server:
                yield server
        case "moto":
            with servers.moto() as server:
                yield server
        case "swift":
            with servers.swift(tmp_path_factory.mktemp("swift") / "server") as server:
                yield server
        case _:
            yield servers.given()


@pytest.fixture(scope="session")
async def served(server: Server) -> AsyncGenerator[Served]:
    """The same, open."""
    async with opened(server) as served:
        yield served
