"""Fixtures of the front door's tests: an open database, a workspace, a shorthand for jobs."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest

from app.assets.repository.outputs import OutputRepository
from app.config import Settings
from app.db.postgres import Database, Row, open_database
from app.identity.repository import IdentityRepository
from app.identity.service import IdentityService
from app.ids import uuid7
from app.jobs.models import Claimed, Moved, NewJob
from app.jobs.repository.claims import Claim, ClaimRepository, Worker
from app.jobs.repository.reaping import ReapingRepository
from app.jobs.repository.transitions import Fence, TransitionRepository
from app.jobs.tokens import Tokens, WorkerGrant
from app.protocol import GuardedProtocol
from app.secret import Keyring
from infra.local.postgres import EmbeddedPostgres
from tests.app.front_door import Caller, Executor, serving
from tests.conftest import fresh_database

LEASE_S = 30.0


@pytest.fixture
async def database(database_url: str) -> AsyncGenerator[Database]:
    """A migrated database of its own."""
    async with open_database(database_url, size=4) as database:
        yield database


@dataclass(frozen=True, slots=True)
class Machine:
    """The statements of one database, and what tests ask of its rows."""

    database: Database
    workspace_id: UUID
    transitions: TransitionRepository
    claims: ClaimRepository
    outputs: OutputRepository
    reaping: ReapingRepository

    async def submit(self, **changes: Any) -> UUID:
        """Record a job; returns its id."""
        job = new_job(self.workspace_id, **changes)
        assert await self.transitions.submit(job) is not None
        return job.id

    async def claim(self, workspaces: list[UUID] | None = None, **changes: Any) -> Claimed | None:
        """Start the next local job, as a worker with room for it."""
        return await self.claims.next_local(new_claim(**changes), new_worker(workspaces))

    async def start(self) -> Fence:
        """Submit a job and start it."""
        job_id = await self.submit()
        claimed = await self.claim()
        assert claimed is not None
        assert claimed.moved.id == job_id
        return Fence(job_id, claimed.moved.epoch)

    async def row(self, job_id: UUID) -> Row:
        """The job as stored."""
        row = await self.database.one("select * from app.jobs where id = %(id)s", {"id": job_id})
        assert row is not None
        return row

    async def events(self, job_id: UUID) -> list[Row]:
        """Its event log."""
        return await self.database.all(
            "select * from app.job_events where job_id = %(id)s order by seq", {"id": job_id}
        )

    async def statuses(self, job_id: UUID) -> list[str]:
        """The statuses its log tells, in order."""
        return [e["data"]["status"] for e in await self.events(job_id) if e["type"] == "status"]

    async def let_lease_pass(self, job_id: UUID) -> None:
        """Move its lease into the past."""
        await self.database.run(
            "update app.jobs set lease_expires_at = now() - interval '1 hour' where id = %(id)s",
            {"id": job_id},
        )

    async def let_lease_pass_if_live(self, job_id: UUID) -> None:
        """The same, for a job that holds one."""
        await self.database.run(
            "update app.jobs set lease_expires_at = now() - interval '1 hour' "
            "where id = %(id)s and lease_expires_at is not null",
            {"id": job_id},
        )

    async def reap_without_extending(self) -> list[Moved]:
        """Reap as if the last tick had just been."""
        await self.database.run("update app.maintenance set ticked_at = now()")
        return await self.reaping.reap()

    async def tick_in_time(self) -> None:
        """Tick twice, so that the reaper may act."""
        await self.reaping.tick("test", ready=True)
        assert not (await self.reaping.tick("test", ready=True)).late


@pytest.fixture
async def machine(database: Database) -> Machine:
    """The statements on a fresh database, with one workspace."""
    return await machine_of(database)


async def machine_of(database: Database, workspace: str = "local") -> Machine:
    workspace_id, _ = await IdentityRepository(database).ensure_workspace(workspace)
    return Machine(
        database,
        workspace_id,
        TransitionRepository(database, LEASE_S),
        ClaimRepository(database, LEASE_S),
        OutputRepository(database, max_outputs=1_000, max_output_bytes=1_000_000),
        ReapingRepository(database, LEASE_S, start_timeout_s=600.0, cancel_grace_s=15.0),
    )


def new_job(workspace_id: UUID, **changes: Any) -> NewJob:
    values: dict[str, Any] = {
        "id": uuid7(),
        "workspace_id": workspace_id,
        "backend": "local",
        "backend_reason": "test",
        "environment": "local",
        "graph": {"1": {"class_type": "EmptyImage", "inputs": {}}},
        "graph_hash": uuid4().bytes,
        "inputs": [],
        "metadata": {},
        "tags": [],
        "priority": 0,
        "max_tries": 3,
        "start_within_s": 3_600.0,
        "deadline_s": 3_600.0,
        "retention_s": 3_600.0,
        "idempotency_key": None,
        "request_hash": None,
        "secrets": None,
    }
    return NewJob(**{**values, **changes})


def new_worker(workspaces: list[UUID] | None = None, slots: int = 1) -> Worker:
    """A worker that has just started."""
    return Worker(uuid4(), workspaces, slots)


def new_claim(**changes: Any) -> Claim:
    values: dict[str, Any] = {
        "claim_id": uuid4(),
        "environment": "local",
        "environment_digest": "d",
        "executor_id": "test",
    }
    return Claim(**{**values, **changes})


@dataclass(frozen=True, slots=True)
class House:
    """A running front door, its worker and its callers."""

    url: str
    settings: Settings
    executor: Executor
    alice: Caller
    clients: ExitStack

    def caller(self, workspace: str) -> Caller:
        """Somebody of another workspace."""
        caller = asyncio.run(make_caller(self.settings, self.url, workspace))
        self.clients.callback(caller.http.close)
        return caller

    def sql(self, statement: LiteralString) -> None:
        """Change its rows behind its back: what otherwise takes days."""
        with psycopg.connect(self.settings.database_url, autocommit=True) as connection:
            connection.execute(statement)

    def another_worker(self) -> Executor:
        """A second worker with the same rights."""
        return self.worker(WorkerGrant(workspaces=None, environments=["local"], slots=1))

    def worker(self, grant: WorkerGrant) -> Executor:
        """A worker with another grant."""
        executor = Executor(self.url, Tokens(Keyring.load(self.settings)).worker(grant))
        self.clients.callback(executor.client.close)
        return executor


async def make_caller(settings: Settings, url: str, workspace: str) -> Caller:
    """A key of a workspace, and whoever holds it."""
    async with open_database(settings.database_url, size=2) as database:
        identity = IdentityService(IdentityRepository(database), lambda: False)
        key, workspace_id = await identity.create_key(workspace, "test")
    return Caller(url, key, workspace_id)


@contextmanager
def opened_house(
    settings: Settings, protocol: type[GuardedProtocol] = GuardedProtocol
) -> Generator[House]:
    """A front door on a port, a registered worker, and alice with a key."""
    with serving(settings, protocol) as url, ExitStack() as clients:
        tokens = Tokens(Keyring.load(settings))
        grant = WorkerGrant(workspaces=None, environments=["local"], slots=1)
        executor = Executor(url, tokens.worker(grant))
        executor.register()
        alice = asyncio.run(make_caller(settings, url, "alice"))
        clients.callback(executor.client.close)
        clients.callback(alice.http.close)
        yield House(url, settings, executor, alice, clients)


@contextmanager
def lasting_house(postgres: EmbeddedPostgres, template: str, folder: Path) -> Generator[House]:
    """A house for many tests, without Redis: its state and its database end with it."""
    with fresh_database(postgres, template) as url:
        state = folder / "state"
        state.mkdir(mode=0o700)
        with opened_house(Settings(database_url=url, state=state, database_pool_size=4)) as house:
            yield house


@pytest.fixture
def house(settings: Settings) -> Generator[House]:
    """A house of its own."""
    with opened_house(settings) as house:
        yield house
