"""Event streams when their reader sleeps, their front door dies, or the parts behind it go away."""

import asyncio
import base64
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from app.config import Settings
from app.jobs.tokens import Tokens, WorkerGrant
from app.secret import Keyring
from infra.local.valkey import EmbeddedValkey
from tests.app.conftest import make_caller
from tests.app.front_door import Caller, Executor
from tests.chaos.doors import Door, Follower, opened_door, request

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

PREVIEW = base64.b64encode(os.urandom(190_000)).decode()
"""Nearly as large as one may be."""
PREVIEWS = 120
READERS = int(os.environ.get("COMFYBURST_CHAOS_READERS", "180"))
"""Of six jobs together; by hand 1000."""
MAX_GROWTH_BYTES = 12_000_000
"""A frame and two buffers for each of five readers, and what Python keeps; 30 MB are sent."""


@dataclass(slots=True)
class Run:
    """A running job, and whoever runs it: every report is repeated until it is answered."""

    executor: Executor
    job_id: str
    caller: Caller
    sent: list[str] = field(default_factory=list[str])

    @property
    def path(self) -> str:
        """Of its stream."""
        return f"/api/v2/jobs/{self.job_id}/events"

    def log(self, text: str) -> None:
        """One line."""
        self._report({"type": "log", "level": "info", "message": text})
        self.sent.append(text)

    def end(self) -> None:
        """End well."""
        self._report({"type": "succeeded", "timings_ms": {}})

    def _report(self, event: dict[str, object]) -> None:
        self.executor.seq += 1
        body = {"transitions": [{"client_seq": self.executor.seq, "event": event}]}
        until = time.monotonic() + 60
        while True:
            try:
                reply = self.executor.send_raw(body)
            except httpx.TransportError:
                assert time.monotonic() < until, "the front door did not come back"
                time.sleep(0.05)
                continue
            if reply.status_code == 200:
                return
            assert reply.status_code == 503, reply.text
            time.sleep(0.2)


@contextmanager
def started(door: Door, caller: Caller) -> Generator[Run]:
    """A job that runs."""
    grant = WorkerGrant(workspaces=None, environments=["local"], slots=1)
    executor = Executor(door.url, Tokens(Keyring.load(door.settings)).worker(grant))
    with closing(executor.client):
        executor.register()
        job_id = caller.submit()["id"]
        assert executor.claim() is not None
        yield Run(executor, job_id, caller)


@contextmanager
def alice_at(door: Door) -> Generator[Caller]:
    """A caller."""
    caller = asyncio.run(make_caller(door.settings, door.url, "alice"))
    with closing(caller.http):
        yield caller


def follow(followers: list[Follower]) -> threading.Thread:
    """Let them read, in a thread."""

    async def all_of_them() -> None:
        await asyncio.gather(*(follower.run() for follower in followers))

    thread = threading.Thread(target=asyncio.run, args=(all_of_them(),), daemon=True)
    thread.start()
    return thread


def wait_until(told: Callable[[], object], within_s: float = 60.0) -> None:
    """Until it is so."""
    until = time.monotonic() + within_s
    while not told():
        assert time.monotonic() < until
        time.sleep(0.05)


def check_complete(followers: list[Follower]) -> None:
    """Every event came, once, in order."""
    for follower in followers:
        assert follower.ids == list(range(follower.ids[0], follower.ids[-1] + 1))
        assert follower.last_status == "succeeded"


def never_reading(door: Door, path: str, key: str) -> socket.socket:
    """A reader that asks and then sleeps."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    reader.connect(("127.0.0.1", door.port))
    reader.sendall(request(door.port, path, key))
    return reader


def readers_of(door: Door) -> int:
    """Streams and long polls that are open there."""
    found = re.search(r"^comfyburst_readers (\d+)", httpx.get(f"{door.url}/metrics").text, re.M)
    assert found
    return int(found[1])


@pytest.mark.parametrize("of_workspace", [False, True])
def test_a_reader_that_never_reads_costs_little_is_cut_and_resumes(
    settings: Settings, *, of_workspace: bool
) -> None:
    with (
        opened_door(settings, COMFYBURST_STREAM_STALL_S="2") as door,
        alice_at(door) as alice,
        started(door, alice) as run,
    ):
        path = "/api/v2/events?previews=true" if of_workspace else run.path
        good = Follower(door.port, run.path, alice.key)
        thread = follow([good])
        sleepers = [never_reading(door, path, alice.key) for _ in range(5)]
        wait_until(lambda: readers_of(door) == 6)
        run.executor.send(preview={"node_id": "1", "content_type": "image/png", "data_base64": ""})
        before = door.seen.memory_info().rss
        for number in range(PREVIEWS):
            preview = {"node_id": "1", "content_type": "image/png", "data_base64": PREVIEW}
            assert run.executor.send(preview=preview).status_code == 200
            run.log(f"line {number}")
        wait_until(lambda: readers_of(door) == 1)
        growth = door.seen.memory_info().rss - before
        run.end()
        thread.join(60)
        check_complete([good])
        assert door.said.count("took nothing for 2 s and is dropped") == 5
        assert growth < MAX_GROWTH_BYTES, growth
        if not of_workspace:
            for sleeper in sleepers:
                late = Follower(door.port, run.path, alice.key, ids=ids_in(drained(sleeper)))
                assert late.ids, "what it had not read tells where it was"
                asyncio.run(late.run())
                check_complete([late])
        for sleeper in sleepers:
            sleeper.close()


def drained(sleeper: socket.socket) -> bytes:
    """What the kernel still holds of a connection that was cut."""
    sleeper.settimeout(10)
    parts: list[bytes] = []
    try:
        while part := sleeper.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def ids_in(stream: bytes) -> list[int]:
    """Of frames that arrived whole."""
    whole, _, _ = stream.rpartition(b"\n\n")
    return [int(found) for found in re.findall(rb"^id: (\d+)$", whole, re.MULTILINE)]


def test_every_reader_resumes_when_the_front_door_is_killed(settings: Settings) -> None:
    jobs, readers, lines = 6, READERS // 6, 60
    with opened_door(settings) as door, alice_at(door) as alice:
        with (
            started(door, alice) as a,
            started(door, alice) as b,
            started(door, alice) as c,
            started(door, alice) as d,
            started(door, alice) as e,
            started(door, alice) as f,
            ThreadPoolExecutor(jobs) as pool,
        ):
            runs = [a, b, c, d, e, f]
            followers = [
                Follower(door.port, r.path, alice.key) for r in runs for _ in range(readers)
            ]
            thread = follow(followers)
            wait_until(lambda: all(follower.ids for follower in followers))

            def report(run: Run) -> None:
                for number in range(lines):
                    run.log(f"line {number}")
                    time.sleep(0.1)
                run.end()

            reports = [pool.submit(report, run) for run in runs]
            for _ in range(3):
                time.sleep(1)
                door.end(signal.SIGKILL)
                with socket.create_connection(("127.0.0.1", door.port), timeout=5):
                    time.sleep(0.3)  # who comes now waits, and is not refused
                door.start()
            for done in reports:
                done.result(timeout=120)
            thread.join(60)
            assert not thread.is_alive()
        check_complete(followers)
        assert {follower.ids[-1] for follower in followers} == {2 + lines + 1}
        assert sum(follower.refused for follower in followers) == 0
        assert min(follower.connected for follower in followers) > 1, "all were cut"
        assert [job["tries"] for job in alice.http.get("/jobs").json()["jobs"]] == [1] * jobs


def test_a_front_door_ends_at_once_with_streams_open_and_one_that_never_reads(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with opened_door(settings) as door, alice_at(door) as alice, started(door, alice) as run:
        followers = [Follower(door.port, run.path, alice.key) for _ in range(50)]
        thread = follow(followers)
        with closing(never_reading(door, run.path, alice.key)):
            wait_until(lambda: readers_of(door) == 51)
            preview = {"node_id": "1", "content_type": "image/png", "data_base64": PREVIEW}
            for _ in range(20):
                run.executor.send(preview=preview)
            took_s = door.end(signal.SIGTERM)
        assert "graceful shutdown exceeded" not in door.said, "nobody was waited for"
        assert "Traceback" not in door.said
        assert "without completing response" not in door.said
        door.start()
        run.end()
        thread.join(60)
        check_complete(followers)
    with capsys.disabled():
        print(f"\n  SIGTERM with 51 streams open: ended after {took_s:.2f} s (promise: < 2)")  # noqa: T201


def test_streams_outlive_an_outage_of_the_database(settings: Settings) -> None:
    with opened_door(settings) as door, alice_at(door) as alice, started(door, alice) as run:
        followers = [Follower(door.port, run.path, alice.key) for _ in range(10)]
        thread = follow(followers)
        run.log("before")
        wait_until(lambda: all(3 in follower.ids for follower in followers))
        with database_away(settings.database_url):
            reporting = threading.Thread(target=run.log, args=("meanwhile",))
            reporting.start()
            time.sleep(7)  # longer than the streams go without asking for their key
        reporting.join(30)
        run.end()
        thread.join(60)
        check_complete(followers)
        assert {follower.connected for follower in followers} == {1}, "nobody was cut"


@contextmanager
def database_away(url: str) -> Generator[None]:
    """Nobody can connect to the database, and nobody is connected."""
    name = conninfo_to_dict(url)["dbname"]
    assert isinstance(name, str)
    admin = make_conninfo(url, dbname="postgres")
    with psycopg.connect(admin, autocommit=True) as connection:

        def allow(yes: str) -> None:
            statement = SQL("alter database {} with allow_connections {}")
            connection.execute(statement.format(Identifier(name), SQL(yes)))  # type: ignore[arg-type]

        allow("false")
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,)
        )
        try:
            yield
        finally:
            allow("true")


@dataclass(slots=True)
class Valkey:
    """One that can be killed, frozen and started again."""

    server: EmbeddedValkey
    process: "Popen[bytes]"

    @classmethod
    def start(cls, folder: Path) -> "Valkey":
        """A server that answers."""
        server = EmbeddedValkey(folder)
        server.prepare()
        valkey = cls(server, Popen(server.argv))  # noqa: S603 - our own Valkey
        valkey.wait()
        return valkey

    def restart(self) -> None:
        """Kill it and start it again."""
        self.process.kill()
        self.process.wait()
        self.server.socket.unlink(missing_ok=True)
        self.process = Popen(self.server.argv)  # noqa: S603 - our own Valkey
        self.wait()

    def wait(self) -> None:
        """Until it answers."""
        wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            return asyncio.run(self.server.ready())
        except OSError:
            return False


@pytest.fixture
def valkey(tmp_path: Path) -> Generator[Valkey]:
    """A Valkey of its own."""
    folder = tmp_path / "valkey-state"
    folder.mkdir(mode=0o700)
    valkey = Valkey.start(folder)
    yield valkey
    valkey.process.send_signal(signal.SIGCONT)
    valkey.process.kill()
    valkey.process.wait()


def test_no_event_is_missed_while_redis_restarts_freezes_and_dies(
    settings: Settings, valkey: Valkey
) -> None:
    """The reader is at another front door than the executor: only hints or the database tell it."""
    settings = settings.model_copy(update={"redis_url": valkey.server.url})
    with (
        opened_door(settings) as door,
        opened_door(settings) as elsewhere,
        alice_at(door) as alice,
        started(door, alice) as run,
    ):
        followers = [Follower(elsewhere.port, run.path, alice.key) for _ in range(5)]
        thread = follow(followers)
        wait_until(lambda: all(follower.ids for follower in followers))

        def told(text: str) -> None:
            run.log(text)
            last = 2 + len(run.sent)
            wait_until(lambda: all(follower.ids[-1] == last for follower in followers), 20)

        told("all is well")
        valkey.restart()
        told("right after a restart")
        valkey.process.send_signal(signal.SIGSTOP)
        told("frozen")
        time.sleep(2)
        told("frozen for a while")
        valkey.process.send_signal(signal.SIGCONT)
        told("thawed")
        valkey.process.kill()
        valkey.process.wait()
        told("gone")
        run.end()
        thread.join(60)
        check_complete(followers)
        assert {follower.connected for follower in followers} == {1}, "nobody was cut"
