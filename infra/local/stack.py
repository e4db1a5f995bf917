"""The supervisor: ordered start with readiness, restart with back-off, orderly stop, one per state folder."""

import asyncio
import contextlib
import fcntl
import os
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from infra.local.console import readable, say
from infra.local.places import private_folder
from infra.local.service import Service, die_with_parent

PROBE_S: Final = 0.03
DEATHS: Final = 5
DEATHS_WITHIN_S: Final = 60.0
MAX_BACKOFF_S: Final = 10.0
MAX_LINE_BYTES: Final = 1 << 20
NAME: Final = "comfyburst"


class StackError(Exception):
    """The stack cannot run, and why."""


class AlreadyRunningError(StackError):
    """Another supervisor holds this state folder."""


@contextlib.contextmanager
def only_one(state: Path) -> Generator[None]:
    """Hold the state folder for as long as the block lasts.

    Raises:
        AlreadyRunningError: with the pid of whoever holds it.
    """
    with (state / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise AlreadyRunningError(f"already running (pid {lock.read().strip()})") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


@dataclass(slots=True)
class Running:
    """A service and its process of the moment."""

    service: Service
    process: asyncio.subprocess.Process
    output: "asyncio.Task[None]"
    tail: deque[str] = field(default_factory=lambda: deque[str](maxlen=20))
    deaths: deque[float] = field(default_factory=lambda: deque[float](maxlen=DEATHS))


@dataclass(slots=True)
class Stack:
    """The processes of one state folder."""

    state: Path
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    failure: str | None = None
    _running: list[Running] = field(default_factory=list[Running])
    _watchers: list["asyncio.Task[None]"] = field(default_factory=list["asyncio.Task[None]"])

    async def start(self, service: Service) -> None:
        """Start a service and wait until it is ready; then keep it running.

        Raises:
            StackError: it ended or was not ready in time; with its last lines.
        """
        started = time.monotonic()
        running = await self._spawn(service)
        self._running.append(running)
        await self._wait_ready(running)
        say(NAME, f"{service.name} ready in {time.monotonic() - started:.1f} s")
        self._watchers.append(asyncio.create_task(self._watch(running)))

    async def stop(self) -> None:
        """Stop all, the last started first."""
        self.stopping.set()
        for watcher in self._watchers:
            watcher.cancel()
        for running in reversed(self._running):
            await self._stop_one(running)

    def kill(self) -> None:
        """Kill all process groups at once."""
        for running in self._running:
            if running.process.returncode is None:
                os.killpg(running.process.pid, signal.SIGKILL)

    async def _spawn(self, service: Service, before: Running | None = None) -> Running:
        extra = service.before_start()
        process = await asyncio.create_subprocess_exec(
            *service.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**service.env, **extra.get("env", {})},
            cwd=service.cwd,
            start_new_session=True,  # Ctrl-C reaches the supervisor alone
            preexec_fn=die_with_parent(service.stop_signal),
            limit=MAX_LINE_BYTES,
            pass_fds=extra.get("pass_fds", ()),
            **service.popen,
        )
        service.after_start(extra)
        (self.state / f"{service.name}.pid").write_text(str(process.pid))
        tail = before.tail if before else deque[str](maxlen=20)
        output = asyncio.create_task(self._pump(service, process, tail))
        deaths = before.deaths if before else deque[float](maxlen=DEATHS)
        return Running(service, process, output, tail, deaths)

    async def _pump(
        self, service: Service, process: asyncio.subprocess.Process, tail: deque[str]
    ) -> None:
        assert process.stdout is not None
        logs = private_folder(self.state / "logs")
        with (logs / f"{service.name}.log").open("ab", buffering=0) as file:
            while line := await _line(process.stdout):
                self._show(service, line, tail, file)

    def _show(self, service: Service, line: bytes, tail: deque[str], file: IO[bytes]) -> None:
        file.write(line if line.endswith(b"\n") else line + b"\n")
        text = line.decode(errors="replace").rstrip()
        tail.append(text)
        short = readable(text, colour=os.isatty(1))
        if short is not None:
            say(service.name, short)

    async def _wait_ready(self, running: Running) -> None:
        service, process = running.service, running.process
        until = time.monotonic() + service.ready_timeout_s
        while not self.stopping.is_set():
            if process.returncode is not None:
                await running.output
                lines = "\n  ".join(running.tail)
                raise StackError(
                    f"{service.name} exited with {process.returncode} before it was ready:\n  {lines}"
                )
            if await _probe(service.ready) and process.returncode is None:
                return
            if time.monotonic() > until:
                raise StackError(
                    f"{service.name} was not ready after {service.ready_timeout_s:.0f} s; "
                    f"see {self.state / 'logs' / service.name}.log"
                )
            await asyncio.sleep(PROBE_S)

    async def _watch(self, running: Running) -> None:
        service = running.service
        while True:
            code = await running.process.wait()
            if self.stopping.is_set():
                return
            running.deaths.append(time.monotonic())
            if service.essential and self._died_too_often(running):
                self.failure = f"{service.name} ended {DEATHS} times in a minute"
                self.stopping.set()
                return
            pause = min(0.2 * 2 ** (len(running.deaths) - 1), MAX_BACKOFF_S)
            say(NAME, f"{service.name} ended ({code}); starting it again in {pause:.1f} s")
            await asyncio.sleep(pause)
            await self._restart(running)

    def _died_too_often(self, running: Running) -> bool:
        deaths = running.deaths
        return len(deaths) == DEATHS and deaths[-1] - deaths[0] < DEATHS_WITHIN_S

    async def _restart(self, running: Running) -> None:
        fresh = await self._spawn(running.service, running)
        running.process, running.output = fresh.process, fresh.output
        try:
            await self._wait_ready(running)
            say(NAME, f"{running.service.name} is ready again")
        except StackError as error:
            say(NAME, str(error).splitlines()[0])
            if running.process.returncode is None:
                os.killpg(running.process.pid, signal.SIGKILL)

    async def _stop_one(self, running: Running) -> None:
        process, service = running.process, running.service
        if process.returncode is None:
            process.send_signal(service.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), service.stop_timeout_s)
            except TimeoutError:
                say(NAME, f"{service.name} does not stop; killing it")
                os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        await running.output
        (self.state / f"{service.name}.pid").unlink(missing_ok=True)


async def _probe(ready: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await ready()
    except (OSError, TimeoutError):
        return False


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line; an endless one in pieces."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.read(error.consumed)
