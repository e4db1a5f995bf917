"""Front doors killed, asked to end, doubled, and read by clients that never read."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import httpx
import psutil
import pytest

from app.db.postgres import open_database
from app.jobs.repository.reaping import ReapingRepository
from tests.app.front_door import POSTER, Executor
from tests.app.streams import Read, Reader
from tests.chaos.stacks import (
    LEASE_S,
    SHORT,
    check_promises,
    ended_job,
    events_of,
    eventually,
    free_port,
    mint_worker_token,
    more_workers,
    reasons_of,
)
from tests.running import Running, clean_environment, steps

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

READERS = 50
WITHOUT_A_GRACE_S = 25.0
"""What raw streams made uvicorn need to end (facts/reliability-and-performance.md §3, row 15)."""
SLOW_READERS = 20
FLOOD = 150
PREVIEW_BYTES = 250_000
FLAT_BYTES = 100_000_000
"""Of about 1.5 GB that they were sent: 20 readers, 150 previews of 333 kB as base64, twice over."""


@dataclass
class Resuming:
    """A reader that opens its stream again, with the last id it saw, until the job's end."""

    url: str
    auth: dict[str, str]
    frames: list[Read] = field(default_factory=list[Read])
    cuts: int = 0

    def run(self) -> None:
        while not self.frames or self.frames[-1].data.get("status") != "succeeded":
            reader = Reader()
            ids = [frame.id for frame in self.frames if frame.id]
            resume = {"Last-Event-ID": ids[-1]} if ids else {}
            try:
                reader.run(self.url, {**self.auth, **resume})
            except httpx.TransportError:
                self.cuts += 1
            self.frames += reader.frames

    @property
    def ids(self) -> list[int]:
        """Of the events it saw, in order."""
        return [int(frame.id) for frame in self.frames if frame.id]


def test_streams_resume_without_a_gap_after_kills_of_the_front_door(stack: Running) -> None:
    """Row 14: kill -9, twice; the socket is inherited, so callers wait and none is refused."""
    job_id = stack.submit(steps(60, 0.1))
    stack.wait_for(job_id, "running")
    readers = [Resuming(f"{stack.api}/jobs/{job_id}/events", stack.auth) for _ in range(5)]
    threads = [threading.Thread(target=reader.run, daemon=True) for reader in readers]
    for thread in threads:
        thread.start()
    for _ in range(2):
        time.sleep(1.5)
        stack.kill("front-door")
        eventually(lambda: httpx.get(f"{stack.url}/readyz", timeout=30).raise_for_status())
    for thread in threads:
        thread.join(60)
    last = events_of(stack, job_id)[-1]["seq"]
    for reader in readers:
        assert reader.cuts > 0
        assert reader.ids == list(range(reader.ids[0], last + 1)), "no gap, no repetition"
    job = ended_job(stack, job_id)
    assert (job["status"], job["tries"]) == ("succeeded", 1)
    check_promises(stack, [job_id])


def test_a_front_door_ends_soon_though_fifty_streams_are_open(stack: Running) -> None:
    """Row 15: SIGTERM; within 2 s on an idle machine."""
    job_id = stack.submit(steps(100, 0.1))
    front_door = psutil.Process(stack.pid("front-door"))
    readers = [Reader() for _ in range(READERS)]
    url = f"{stack.api}/jobs/{job_id}/events"
    threads = [
        threading.Thread(target=reader.run_until_cut, args=(url, stack.auth), daemon=True)
        for reader in readers
    ]
    for thread in threads:
        thread.start()
    for reader in readers:
        reader.wait_until(bool)
    stopping = time.monotonic()
    front_door.terminate()
    front_door.wait(WITHOUT_A_GRACE_S / 2)
    sys.stdout.write(f"ended within {time.monotonic() - stopping:.2f} s with {READERS} streams\n")
    for thread in threads:
        thread.join(10)
    eventually(lambda: httpx.get(f"{stack.url}/readyz", timeout=30).raise_for_status())
    stack.rows("select 1")
    assert httpx.post(f"{stack.api}/jobs/{job_id}/cancel", headers=stack.auth).status_code == 200
    assert ended_job(stack, job_id)["tries"] == 1
    check_promises(stack, [job_id])


def test_readers_that_never_read_cost_no_memory_and_are_dropped(stack: Running) -> None:
    """Row 27: a slow reader sees the newest or is dropped; it resumes by its last id."""
    executor = Executor(stack.url, mint_worker_token(stack, "by-hand"), environment="by-hand")
    executor.register()
    job_id = stack.submit(POSTER, environment="by-hand")
    assert executor.claim()
    front_door = psutil.Process(stack.pid("front-door"))
    with ExitStack() as open_sockets:
        open_sockets.callback(executor.client.close)
        slow = [open_sockets.enter_context(deaf_reader(stack, job_id)) for _ in range(SLOW_READERS)]
        eventually(lambda: holds(readers_of(stack) >= SLOW_READERS))
        before = front_door.memory_info().rss
        for number in range(FLOOD):
            executor.send(
                {"type": "log", "level": "info", "message": f"{number} {'x' * 2_000}"},
                preview={
                    "node_id": "1",
                    "content_type": "image/jpeg",
                    "data_base64": b64encode(number.to_bytes(2) * (PREVIEW_BYTES // 2)).decode(),
                },
            )
        grown = front_door.memory_info().rss - before
        assert grown < FLAT_BYTES, f"{grown} bytes for {SLOW_READERS} readers"

        def most_are_dropped() -> None:
            executor.send()  # the run goes on meanwhile, and keeps its lease
            holds(readers_of(stack) < SLOW_READERS // 2)

        eventually(most_are_dropped, 60)
        assert len(slow) == SLOW_READERS
        executor.succeed()
    reader = Reader()
    reader.run(f"{stack.api}/jobs/{job_id}/events", {**stack.auth, "Last-Event-ID": "2"})
    ids = [int(frame.id) for frame in reader.frames if frame.id]
    assert ids == list(range(3, events_of(stack, job_id)[-1]["seq"] + 1))
    check_promises(stack, [job_id])


def test_two_front_doors_and_two_reapers_move_every_job_once(stack: Running) -> None:
    """Row 28: rows are locked and skipped; callers may ask either front door."""
    with (
        another_front_door(stack) as url,
        reaping_without_end(stack),
        more_workers(stack, 2) as more,
    ):
        ids = [stack.submit(steps(40, 0.1, tag)) for tag in range(4)]
        reader = Reader()
        args = (f"{url}/api/v2/jobs/{ids[-1]}/events", stack.auth)
        thread = threading.Thread(target=reader.run, args=args, daemon=True)
        thread.start()
        running = "select 1 from app.jobs where status = 'running'"
        eventually(lambda: holds(len(stack.rows(running)) == 3), 40)
        stack.kill("worker")
        for process in more:
            os.killpg(process.pid, 9)
        with more_workers(stack):
            jobs = [ended_job(stack, job_id) for job_id in ids]
        thread.join(20)
    assert {job["status"] for job in jobs} == {"succeeded"}
    assert reader.frames[-1].data["status"] == "succeeded", "told by the other front door"
    for job in jobs:
        reasons = reasons_of(stack, job["id"])
        assert set(reasons) <= {"lease_expired"}
        assert job["tries"] == len(reasons) + 1, "one event for each lease that passed"
    assert sum(job["tries"] for job in jobs) == len(jobs) + 3
    check_promises(stack, ids)


def holds(*conditions: bool) -> None:
    """For `eventually`."""
    assert all(conditions)


@contextmanager
def deaf_reader(stack: Running, job_id: str) -> Generator[socket.socket]:
    """A stream that is asked for and never read, over the smallest of buffers."""
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        reader.connect(("127.0.0.1", int(stack.url.rpartition(":")[2])))
        reader.sendall(
            f"GET /api/v2/jobs/{job_id}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {stack.api_key}\r\n\r\n".encode()
        )
        yield reader


def readers_of(stack: Running) -> int:
    """Open streams of the front door, as its metrics tell."""
    text = httpx.get(f"{stack.url}/metrics", timeout=10).text
    [number] = re.findall(r"^comfyburst_readers(?:\{.*\})? ([\d.]+)$", text, re.MULTILINE)
    return int(float(number))


@contextmanager
def another_front_door(stack: Running) -> Generator[str]:
    """A second process on the same stores; yields its URL."""
    settings = settings_of_running_in(stack)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (stack.state.parent / "second.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "app"],
            env=clean_environment(
                {
                    **SHORT,
                    "COMFYBURST_STATE": str(stack.state),
                    "COMFYBURST_PORT": str(port),
                    "INTERNAL_URL": stack.url,
                    "DATABASE_URL": settings["database_url"],
                    "REDIS_URL": settings["redis_url"],
                }
            ),
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually(lambda: httpx.get(f"{url}/readyz", timeout=5).raise_for_status(), 40)
        yield url
    finally:
        process.terminate()
        process.wait(15)


@contextmanager
def reaping_without_end(stack: Running) -> Generator[None]:
    """Two reapers that act all the time, beside the one of the stack."""
    stop = threading.Event()

    async def reap() -> None:
        async with open_database(settings_of_running_in(stack)["database_url"], size=2) as database:
            reaping = ReapingRepository(database, LEASE_S, start_timeout_s=600, cancel_grace_s=3)
            while not stop.is_set():
                await asyncio.gather(reaping.reap(), reaping.reap())

    thread = threading.Thread(target=lambda: asyncio.run(reap()), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def settings_of_running_in(stack: Running) -> dict[str, str]:
    """How its stores are reached."""
    import json

    return json.loads((stack.state / "services.json").read_text())
