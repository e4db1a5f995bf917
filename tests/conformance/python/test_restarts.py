"""A front door that ends and comes back on the socket it inherits, while the SDK waits for a job."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from comfy_sdk import Comfy

from app.config import Settings
from app.jobs.tokens import Tokens, WorkerGrant
from app.secret import Keyring
from tests.app.conftest import make_caller
from tests.app.front_door import Caller, Executor
from tests.app.hostile.wire import FILE, TEXTS, Wire, read_replies
from tests.conformance.python.flavours import Flavour, opened
from tests.conformance.python.graphs import poster

DEADLINE_S = 60.0  # a busy machine starts slowly
UPLOAD = "Content-Type: multipart/form-data; boundary=bound"


@dataclass(slots=True)
class Door:
    """`python -m app` on a listening socket that outlives it, as its supervisor starts it."""

    settings: Settings
    listener: socket.socket
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    @property
    def url(self) -> str:
        """Where it is reached, also while it is away."""
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def start(self) -> None:
        """Come back."""
        environment = {
            **os.environ,
            "DATABASE_URL": self.settings.database_url,
            "REDIS_URL": self.settings.redis_url,
            "COMFYBURST_STATE": str(self.settings.state),
            "COMFYBURST_LONG_POLL_S": str(self.settings.long_poll_s),
            "COMFYBURST_LISTEN_FD": str(self.listener.fileno()),
            "COMFYBURST_LOG_LEVEL": "warning",
            "INTERNAL_URL": self.url,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "app"],
            env=environment,
            pass_fds=(self.listener.fileno(),),
            stderr=subprocess.PIPE,
        )
        assert httpx.get(f"{self.url}/readyz", timeout=DEADLINE_S).status_code == 200

    def end(self, how: signal.Signals) -> str:
        """Signal it and wait until it is gone; returns what it said."""
        self.process.send_signal(how)
        _, said = self.process.communicate(timeout=DEADLINE_S)
        return said.decode()


@contextmanager
def opened_door(settings: Settings) -> Generator[tuple[Door, Executor, Caller]]:
    """A front door, its worker and alice."""
    with socket.create_server(("127.0.0.1", 0), backlog=2_048) as listener:
        door = Door(settings, listener)
        grant = WorkerGrant(workspaces=None, environments=["local"], slots=1)
        executor = Executor(door.url, Tokens(Keyring.load(settings)).worker(grant))
        alice = asyncio.run(make_caller(settings, door.url, "alice"))
        try:
            executor.register()
            yield door, executor, alice
        finally:
            executor.client.close()
            alice.http.close()
            door.end(signal.SIGTERM)


def waiting(
    comfy: Comfy, door: Door, executor: Executor, how: signal.Signals
) -> tuple[str | BaseException, str]:
    """What `wait()` comes to over a restart, and what the front door said as it ended."""
    job = comfy.submit(poster())
    executor.claim()
    with ThreadPoolExecutor(1) as pool:
        waited = pool.submit(lambda: job.wait().status)
        time.sleep(1.0)  # past its first look: it is held now, or asleep between two
        said = door.end(how)
        time.sleep(1.0)  # nobody accepts
        door.start()
        executor.succeed()
        return waited.exception(DEADLINE_S) or waited.result(), said


def test_a_restart_is_not_noticed_by_who_is_held(flavour: Flavour, settings: Settings) -> None:
    """v2.10: what is held is answered, the next request waits in the backlog."""
    with (
        opened_door(settings) as (door, executor, alice),
        opened(flavour, door.url, alice.key) as comfy,
    ):
        status, said = waiting(comfy, door, executor, signal.SIGTERM)
    assert (status, said) == ("succeeded", "")


def test_a_killed_front_door_is_not_noticed_between_two_polls(
    flavour: Flavour, settings: Settings
) -> None:
    """v2.10: kill -9 and a new process on the inherited socket; no client error."""
    with (
        opened_door(settings.model_copy(update={"long_poll_s": 0.0})) as (door, executor, alice),
        opened(flavour, door.url, alice.key) as comfy,
    ):
        status, _ = waiting(comfy, door, executor, signal.SIGKILL)
    assert status == "succeeded"


def test_a_killed_front_door_costs_who_is_held_one_error(
    flavour: Flavour, settings: Settings
) -> None:
    """v2.10: the SDK gives up a poll whose connection died; the job goes on, and can be asked for."""
    with (
        opened_door(settings) as (door, executor, alice),
        opened(flavour, door.url, alice.key) as comfy,
    ):
        error, _ = waiting(comfy, door, executor, signal.SIGKILL)
        assert isinstance(error, httpx.TransportError)
        [summary] = list(comfy.list_jobs())
        assert comfy.jobs.get(summary.id).wait().status == "succeeded"


def test_an_upload_that_a_restart_ends_is_told_so(settings: Settings) -> None:
    """v2.10: what cannot be finished in time is a 503 in the envelope, and nothing of it is kept."""
    with opened_door(settings) as (door, _executor, alice):
        wire = Wire(door.url, alice.key)
        with wire.connect() as connection:
            head = wire.head("POST", "/api/v2/assets", UPLOAD, "Content-Length: 100000")
            connection.sendall(head + TEXTS + FILE[:-10])
            time.sleep(0.5)
            door.end(signal.SIGTERM)
            [reply] = read_replies(connection, 1)
        assert (reply.status, reply.code) == (503, "upstream_error")
        assert reply.headers["retry-after"] == "1"
        assert list((settings.state / "storage" / "incoming").glob("*")) == []
        door.start()
