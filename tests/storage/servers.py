"""Every storage that the one suite is run against, and what each of them does not do."""

import os
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from uuid import uuid4

import httpx
import psycopg
import pytest
from moto.server import ThreadedMotoServer
from psycopg.sql import SQL, Identifier

from app.config import Settings
from app.secret import Keyring
from infra.local.postgres import EmbeddedPostgres
from infra.s3server.running import S3Server, running_s3_server
from storage.local import LocalStorage
from storage.protocol import Storage
from storage.s3 import open_s3
from storage.s3_calls import make_client
from storage.s3_place import S3Place
from tests.app.front_door import serving

BUCKET: Final = "comfyburst-test"
MOST_KEYS: Final = 1_000
SWIFT_PYTHON: Final = "COMFYBURST_TEST_S3SERVER"
"""Names the Python that `infra/s3server` installed Swift for."""

Property = Literal[
    "signatures", "one commit wins", "write once", "unfinished uploads", "dates of uploads"
]

REASONS: Final[dict[Property, str]] = {
    "signatures": "it takes altered, expired and mismatching signed requests",
    "one commit wins": "it looks for the key and then writes: two at once both do",
    "write once": "it takes no notice of If-None-Match",
    "unfinished uploads": "it does not list unfinished uploads",
    "dates of uploads": "it says of every upload that it began in 2010",
}


@dataclass(frozen=True, slots=True)
class Server:
    """A storage by name, and how to open it."""

    name: str
    open: Callable[[], AbstractAsyncContextManager[Storage]]
    lacks: frozenset[Property] = frozenset()
    origin: str = ""
    place: "LocalStorage | S3Place | None" = None
    """What a process of its own needs to open it too."""


@dataclass(frozen=True, slots=True)
class Served:
    """An open storage, and callers that reach it over HTTP."""

    server: Server
    storage: Storage
    http: httpx.AsyncClient
    keys: list[str] = field(default_factory=list[str])

    def new_key(self) -> str:
        """A key that nobody has used; removed when the tests are over."""
        key = f"{uuid4()}/blobs/{uuid4()}"
        self.keys.append(key)
        return key

    def needs(self, wanted: Property) -> None:
        """Skip a test of what this server does not do."""
        if wanted in self.server.lacks:
            pytest.skip(f"{self.server.name}: {REASONS[wanted]}")

    async def store(self, content: bytes, key: str | None = None) -> str:
        """Upload through us; returns the key."""
        key = key or self.new_key()
        upload = await self.storage.begin_upload(key)
        await upload.write(content)
        assert await upload.commit()
        return key

    async def content(self, key: str) -> bytes:
        """The whole object."""
        return b"".join([chunk async for chunk in self.storage.read(key)])


@asynccontextmanager
async def opened(server: Server) -> AsyncGenerator[Served]:
    """Open a storage, and leave nothing in it."""
    async with server.open() as storage, httpx.AsyncClient(timeout=30, trust_env=False) as http:
        served = Served(server, storage, http)
        yield served
        for start in range(0, len(served.keys), MOST_KEYS):
            await storage.delete(served.keys[start : start + MOST_KEYS])


# --- the servers ------------------------------------------------------------------------------


@contextmanager
def local(postgres: EmbeddedPostgres, template: str, state: Path) -> Generator[Server]:
    """A folder, served by a real front door."""
    database = f"storage_{uuid4().hex}"  # the fixture may be made again in the same session
    names = {"name": Identifier(database), "template": Identifier(template)}
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(SQL("create database {name} template {template}").format(**names))
    settings = Settings(
        database_url=postgres.url_of(database),
        state=state,
        database_pool_size=2,
        log_level="warning",
    )
    storage = LocalStorage(state / "storage", Keyring.load(settings).key("signed url"))

    @asynccontextmanager
    async def open_it() -> AsyncGenerator[Storage]:
        yield storage

    with serving(settings) as url:
        yield Server("local", open_it, origin=url, place=storage)


@contextmanager
def moto() -> Generator[Server]:
    """A simulated S3."""
    simulator = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    simulator.start()
    try:
        host, port = simulator.get_host_and_port()
        place = S3Place(
            BUCKET, f"http://{host}:{port}", access_key_id="any", secret_access_key="any"
        )
        make_bucket(place)
        lacks = frozenset[Property]({"signatures", "one commit wins", "dates of uploads"})
        yield Server("moto", lambda: open_s3(place), lacks, place=place)
    finally:
        simulator.stop()


@contextmanager
def swift(folder: Path) -> Generator[Server]:
    """A real server that speaks S3."""
    with swift_server(folder) as server:
        place = place_on(server)
        lacks = frozenset[Property]({"one commit wins"})
        yield Server("swift", lambda: open_s3(place), lacks, place=place)


@contextmanager
def swift_server(folder: Path) -> Generator[S3Server]:
    """The server alone, with our bucket in it."""
    python = os.environ.get(SWIFT_PYTHON)
    if not python:
        pytest.skip(f"{SWIFT_PYTHON} names no Python with Swift; ./dev test --all installs one")
    with running_s3_server(Path(python), folder) as server:
        make_bucket(place_on(server))
        yield server


def place_on(server: S3Server) -> S3Place:
    """Our bucket there."""
    return S3Place(
        BUCKET,
        server.endpoint_url,
        access_key_id=server.access_key_id,
        secret_access_key=server.secret_access_key,
    )


def given() -> Server:
    """The bucket that the environment names (docs/storage.md)."""
    place = S3Place(
        os.environ["S3_TEST_BUCKET"],
        os.environ["S3_TEST_ENDPOINT"],
        region=os.environ.get("S3_TEST_REGION", "us-east-1"),
    )
    named = [word.strip() for word in os.environ.get("S3_TEST_LACKS", "").split(",")]
    lacks = frozenset[Property](p for p in REASONS if p in named)
    assert len(lacks) == len(list(filter(None, named))), f"S3_TEST_LACKS knows {list(REASONS)}"
    return Server("given", lambda: open_s3(place), lacks, place=place)


def make_bucket(place: S3Place) -> None:
    """Make it."""
    client = make_client(place, place.endpoint_url)
    client.create_bucket(Bucket=place.bucket)
    client.close()
