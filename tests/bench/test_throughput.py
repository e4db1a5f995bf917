"""G2: submits of sixteen callers at once, against sixteen connections that only INSERT."""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil
import pytest

from app.config import Settings
from app.db.postgres import open_database
from app.ids import uuid7
from app.jobs.repository.transitions import TransitionRepository
from app.jobs.tokens import Tokens, WorkerGrant
from app.secret import Keyring
from tests.app.conftest import make_caller, new_job
from tests.app.front_door import POSTER, Executor
from tests.bench.goals import Goals
from tests.bench.served import served_process

pytestmark = [pytest.mark.bench, pytest.mark.timeout(240)]

AT_ONCE = 16
SECONDS_PER_ROUND = 1.0
ROUNDS = 6
G2_GOAL = 0.30
G2_PASS = 0.15
"""The goal is 0.30 and belongs to an idle machine: here caller, front door and Postgres share two
cores, and the floor has them without the caller's. Half of it is the guard against a regression."""
CPU_GOAL_MS = 1.0

Work = Callable[[], Awaitable[object]]


async def per_second(works: list[Work]) -> float:
    """How often all of them together get through in a second."""
    until = time.perf_counter() + SECONDS_PER_ROUND
    counts = await asyncio.gather(*(_repeat(work, until) for work in works))
    return sum(counts) / SECONDS_PER_ROUND


async def _repeat(work: Work, until: float) -> int:
    count = 0
    while time.perf_counter() < until:
        await work()
        count += 1
    return count


@dataclass(frozen=True, slots=True)
class Submitter:
    """A caller that keeps its connection and reads no more of a reply than its length."""

    request: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def connected(cls, url: str, key: str) -> "Submitter":
        """One with a connection of its own."""
        target = urlsplit(url)
        reader, writer = await asyncio.open_connection(target.hostname, target.port)
        body = json.dumps({"workflow": POSTER}).encode()
        head = (
            f"POST /api/v2/jobs HTTP/1.1\r\nHost: {target.netloc}\r\n"
            f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return cls(head.encode() + body, reader, writer)

    async def submit(self) -> None:
        """One job."""
        self.writer.write(self.request)
        reply = await self.reader.readuntil(b"\r\n\r\n")
        assert reply.startswith(b"HTTP/1.1 201"), reply
        length = int(reply.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        await self.reader.readexactly(length)

    async def close(self) -> None:
        """Hang up."""
        self.writer.close()
        await self.writer.wait_closed()


async def test_many_callers_submit_at_once(settings: Settings, goals: Goals) -> None:
    async with open_database(settings.database_url, size=AT_ONCE) as database:
        transitions = TransitionRepository(database, 30.0)
        # Nothing is started here, so that all that is submitted waits.
        room = {"database_pool_size": AT_ONCE, "max_queued": 1_000_000}
        settings = settings.model_copy(update=room)
        with served_process(settings) as (url, process):
            caller = await make_caller(settings, url, "alice")
            # A queue of its own, so that neither fills the other's.
            other = await make_caller(settings, url, "floor")
            other.http.close()
            grant = WorkerGrant(workspaces=None, environments=["local"], slots=1)
            executor = Executor(url, Tokens(Keyring.load(settings)).worker(grant))
            await asyncio.to_thread(executor.register)
            executor.client.close()
            caller.http.close()

            async def insert() -> None:
                await transitions.submit(new_job(other.workspace_id, id=uuid7(), graph=POSTER))

            submitters = [await Submitter.connected(url, caller.key) for _ in range(AT_ONCE)]
            subjects: list[Work] = [submitter.submit for submitter in submitters]
            floor: list[Work] = [insert] * AT_ONCE

            await per_second(subjects)
            await per_second(floor)
            ours: list[float] = []
            floors: list[float] = []
            cpu_ms: list[float] = []
            for _ in range(ROUNDS):
                before = cpu_s(process.pid)
                ours.append(await per_second(subjects))
                cpu_ms.append((cpu_s(process.pid) - before) * 1_000 / ours[-1] / SECONDS_PER_ROUND)
                floors.append(await per_second(floor))
            for submitter in submitters:
                await submitter.close()
    ratio = statistics.median(o / f for o, f in zip(ours, floors, strict=True))
    cpu = statistics.median(cpu_ms)
    goals.add(
        "G2",
        f"submits of {AT_ONCE} callers",
        f"{statistics.median(ours):.0f}/s, {cpu:.2f} ms CPU each",
        floor=f"{statistics.median(floors):.0f}/s, INSERTs of {AT_ONCE} connections",
        ratio=ratio,
        wanted=f"≥ {G2_GOAL:.2f}, ≤ {CPU_GOAL_MS} ms",
        met=ratio >= G2_GOAL and cpu <= CPU_GOAL_MS,
    )
    assert ratio >= G2_PASS


def cpu_s(pid: int) -> float:
    """CPU seconds a process has used."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
