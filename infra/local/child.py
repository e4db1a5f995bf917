"""One process of the moment: its start, its output into a log file and onto the terminal, its end."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from infra.local.console import readable, say
from infra.local.places import private_folder
from infra.local.service import Service

MAX_LINE_BYTES: Final = 1 << 20
MAX_LOG_BYTES: Final = 20_000_000
TAIL_LINES: Final = 20
DRAIN_S: Final = 2.0
_PR_SET_PDEATHSIG: Final = 1


@dataclass(slots=True)
class Child:
    """A started service."""

    service: Service
    process: asyncio.subprocess.Process
    tail: deque[str] = field(default_factory=lambda: deque[str](maxlen=TAIL_LINES))
    _output: "asyncio.Task[None] | None" = None

    @classmethod
    async def spawn(cls, service: Service, logs: Path) -> "Child":
        """Start it.

        Raises:
            OSError: the program cannot be executed.
        """
        # A pipe of our own: asyncio's Process.wait() returns only once its pipes have closed, and
        # what the service has started may hold them (seen on 3.11).
        reading, writing = os.pipe()
        try:
            with os.fdopen(writing, "wb"), service.handover() as handover:
                process = await asyncio.create_subprocess_exec(
                    *service.argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=writing,
                    stderr=asyncio.subprocess.STDOUT,
                    env={**service.env, **handover.env},
                    start_new_session=True,  # Ctrl-C reaches the supervisor alone
                    preexec_fn=_die_with_parent(service.stop_signal),
                    pass_fds=handover.descriptors,
                    **service.popen,
                )
        except OSError:
            os.close(reading)
            raise
        child = cls(service, process)
        child._output = asyncio.create_task(child._copy_output(reading, logs))
        return child

    @property
    def code(self) -> int | None:
        """Its exit code, None while it runs."""
        return self.process.returncode

    async def ended(self) -> int:
        """Wait for its end, and end what it started."""
        code = await self.process.wait()
        self.kill_group()
        await self._drain()
        return code

    async def stop(self) -> None:
        """Ask it to end, and kill it when it does not."""
        if self.code is None:
            # The leader alone: of Postgres' processes each would take the signal its own way.
            self.process.send_signal(self.service.stop_signal)
            try:
                await asyncio.wait_for(self.process.wait(), self.service.stop_timeout_s)
            except TimeoutError:
                say("comfyburst", f"{self.service.name} does not stop; killing it")
        self.kill_group()
        await self.process.wait()
        await self._drain()
        self.service.after_stop()

    def kill_group(self) -> None:
        """Kill it and all that it started in its session."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    async def _drain(self) -> None:
        """Read what it has still said; a daemon that left the session may hold the pipe for ever."""
        if self._output is not None:
            await asyncio.wait({self._output}, timeout=DRAIN_S)
            self._output.cancel()

    async def _copy_output(self, reading: int, logs: Path) -> None:
        path = private_folder(logs) / f"{self.service.name}.log"
        if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        async with _stream(reading) as stream:
            with path.open("ab", buffering=0) as file:
                while line := await _line(stream):
                    self._show(line, file)

    def _show(self, line: bytes, file: IO[bytes]) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end the service
            file.write(line if line.endswith(b"\n") else line + b"\n")
        text = line.decode(errors="replace").rstrip()
        self.tail.append(text)
        if self.service.is_quiet:
            return
        short = readable(text, colour=sys.stdout.isatty())
        if short is not None:
            say(self.service.name, short)


@contextlib.asynccontextmanager
async def _stream(descriptor: int) -> AsyncGenerator[asyncio.StreamReader]:
    stream = asyncio.StreamReader(limit=MAX_LINE_BYTES)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(descriptor, "rb", buffering=0)
    )
    try:
        yield stream
    finally:
        transport.close()


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line; an endless one in pieces."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.read(error.consumed)


def _die_with_parent(number: int) -> Callable[[], None] | None:
    """For `preexec_fn`: on Linux a child ends when the supervisor is killed.

    Not a program of ours in between, as the GPU side does: Postgres runs as `nobody`, who may not
    enter the folder of our Python. The function is looked up before the fork and takes no lock.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def arrange() -> None:
        prctl(_PR_SET_PDEATHSIG, number)

    return arrange
