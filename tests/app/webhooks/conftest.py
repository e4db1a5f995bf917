"""What the tests of webhooks stand on: a receiver, a house that may call it, a courier of one's own."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest

from app.config import Settings
from app.db.postgres import Row
from app.jobs.models import Moved, NewWebhook
from app.jobs.notice import JobNotices, LastingLinks
from app.jobs.repository.queries import JobQueries
from app.safe_http import SafeHttp, open_safe_http
from app.secret import Keyring
from app.webhooks.courier import Courier
from app.webhooks.repository.deliveries import DeliveryRepository
from app.webhooks.repository.endpoints import Change, EndpointRepository
from app.webhooks.repository.outbox import OutboxRepository
from app.webhooks.service import DeliveryService, EndpointService
from app.webhooks.signing import Signing
from infra.local.postgres import EmbeddedPostgres
from tests.app.conftest import House, Machine, opened_house
from tests.app.front_door import Caller
from tests.app.webhooks.receiver import Receiver, receiving
from tests.conftest import fresh_database

TIMEOUT_S = 2.0
QUICK = {"allow_private_urls": True, "reap_every_s": 0.2, "webhook_timeout_s": TIMEOUT_S}


@pytest.fixture
def receiver() -> Generator[Receiver]:
    """Says 200 to everything, until a test lays down something else."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def free_port() -> int:
    """Of loopback, a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


# --- by HTTP ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def open_house(
    postgres: EmbeddedPostgres, migrated_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Generator[House]:
    """One for the tests of a module, without Redis, quick to see what has passed."""
    with fresh_database(postgres, migrated_template) as url, ExitStack() as stack:
        state = tmp_path_factory.mktemp("state")
        settings = Settings(database_url=url, state=state, database_pool_size=4)
        yield stack.enter_context(opened_house(settings.model_copy(update=QUICK)))


@dataclass(frozen=True, slots=True)
class Scene:
    """Somebody of a workspace of their own, and where they want to be told."""

    house: House
    caller: Caller
    receiver: Receiver

    def add_endpoint(self, **changes: Any) -> dict[str, Any]:
        """An endpoint, with its secret."""
        body = {"url": self.receiver.url, **changes}
        reply = self.caller.http.post("/webhooks/endpoints", json=body)
        assert reply.status_code == 201, reply.text
        return reply.json()

    def deliveries(self, **filters: str) -> list[dict[str, Any]]:
        """Newest first."""
        reply = self.caller.http.get("/webhooks/deliveries", params=filters)
        assert reply.status_code == 200, reply.text
        return reply.json()["deliveries"]

    def settled(self, status: str, /, **filters: str) -> dict[str, Any]:
        """The one delivery, once it stands so."""
        until = time.monotonic() + 15
        while True:
            found = self.deliveries(**filters)
            if [delivery["status"] for delivery in found] == [status]:
                return found[0]
            assert time.monotonic() < until, found
            time.sleep(0.02)

    def run_a_job(self, **body: Any) -> dict[str, Any]:
        """Submit it and let it succeed."""
        job = self.caller.submit(**body)
        self.house.executor.claim()
        self.house.executor.succeed()
        return job


@pytest.fixture
def scene(open_house: House, receiver: Receiver) -> Scene:
    """A fresh workspace in the house of the module."""
    return Scene(open_house, open_house.caller(f"w{uuid4().hex}"), receiver)


# --- with a courier of one's own ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PostOffice:
    """A courier on a fresh database, and what tests do around it."""

    machine: Machine
    courier: Courier
    endpoints: EndpointService
    deliveries: DeliveryService
    receiver: Receiver
    running: "list[asyncio.Task[None]]" = field(default_factory=list["asyncio.Task[None]"])

    @property
    def workspace_id(self) -> UUID:
        """The one workspace."""
        return self.machine.workspace_id

    async def add_endpoint(self, path: str = "", **changes: Any) -> tuple[UUID, str]:
        """An endpoint at a path of the receiver; its id and secret."""
        change = Change(url=f"{self.receiver.url}{path}", **changes)
        endpoint, secret = await self.endpoints.create(self.workspace_id, change)
        return endpoint.id, secret

    async def end_a_job(self, url: str | None = None) -> Moved:
        """A job that has just succeeded; nobody is woken."""
        webhook = None
        if url is not None:
            signer = self.endpoints.signing.new_signer()
            webhook = NewWebhook(url, signer.id, signer.secret)
        job_id = await self.machine.submit(webhook=webhook)
        cancel = await self.machine.transitions.cancel(self.workspace_id, job_id)
        assert cancel is not None
        assert cancel.is_terminal
        return cancel

    def start(self, courier: Courier | None = None) -> None:
        """Let a courier work, and wake it."""
        courier = courier or self.courier
        self.running.append(asyncio.create_task(courier.run()))
        courier.wake()

    async def stop(self) -> None:
        """All couriers leave."""
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)
        self.running.clear()

    def another_courier(self, **changes: Any) -> Courier:
        """As another front door has one."""
        ours = self.courier
        values: dict[str, Any] = {
            "outbox": ours.outbox,
            "http": ours.http,
            "signing": ours.signing,
            "render": ours.render,
            "timeout_s": ours.timeout_s,
            "jitter": ours.jitter,
        }
        return Courier(**{**values, **changes})

    async def rows(self) -> list[Row]:
        """Deliveries as stored, oldest first."""
        return await self.machine.database.all(
            "select * from app.webhook_deliveries order by created_at, id"
        )

    async def until(self, told: Callable[[list[Row]], object], within_s: float = 10.0) -> list[Row]:
        """The deliveries, once they tell it."""
        end = time.monotonic() + within_s
        while not told(rows := await self.rows()):
            assert time.monotonic() < end, rows
            await asyncio.sleep(0.01)
        return rows

    async def let_time_pass(self) -> None:
        """Everything that waits for an attempt is due."""
        await self.machine.database.run(
            "update app.webhook_deliveries set next_attempt_at = now() where status = 'pending'"
        )


@pytest.fixture
async def post(
    machine: Machine, settings: Settings, receiver: Receiver
) -> AsyncGenerator[PostOffice]:
    """Not started yet."""
    async with open_safe_http(allow_private=True, resolve=of_tests) as http:
        office = post_office(machine, settings, http, receiver)
        yield office
        await office.stop()


async def of_tests(host: str, _port: int) -> list[str]:
    """Every name under `test` is this machine, and there is no other."""
    if not host.endswith(".test"):
        raise OSError("no such name")
    return ["127.0.0.1"]


def post_office(
    machine: Machine, settings: Settings, http: SafeHttp, receiver: Receiver
) -> PostOffice:
    """Without jitter, so that a schedule can be read."""
    signing = Signing(Keyring.load(settings))
    notices = JobNotices(JobQueries(machine.database), LastingLinks("http://127.0.0.1:8000"))
    courier = Courier(
        OutboxRepository(machine.database, lease_s=60.0),
        http,
        signing,
        notices.render,
        timeout_s=TIMEOUT_S,
        jitter=lambda: 0.0,
    )
    endpoints = EndpointService(EndpointRepository(machine.database), signing, http, 20)
    deliveries = DeliveryService(DeliveryRepository(machine.database), courier.wake)
    return PostOffice(machine, courier, endpoints, deliveries, receiver)
