"""The supervisor: starts services and waits for each, starts again what ends, stops in reverse order."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from infra.local.child import Child
from infra.local.console import say
from infra.local.service import Service

NAME: Final = "comfyburst"
PROBE_S: Final = 0.03
DEATHS: Final = 5
DEATHS_WITHIN_S: Final = 60.0
FIRST_PAUSE_S: Final = 0.2
MAX_PAUSE_S: Final = 10.0


class StackError(Exception):
    """The stack cannot run, and why."""


@dataclass(slots=True)
class _Supervised:
    """A service, its process of the moment, and when earlier ones ended."""

    child: Child
    deaths: deque[float] = field(default_factory=deque[float])

    def count_death(self, now: float) -> int:
        """How many there were in the last minute, this one included."""
        self.deaths.append(now)
        while now - self.deaths[0] > DEATHS_WITHIN_S:
            self.deaths.popleft()
        return len(self.deaths)


@dataclass(slots=True)
class Stack:
    """The processes of one state folder. `stopping` is set by a signal, or with `failure`."""

    state: Path
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    failure: str | None = None
    _supervised: list[_Supervised] = field(default_factory=list[_Supervised])
    _watchers: list["asyncio.Task[None]"] = field(default_factory=list["asyncio.Task[None]"])

    async def start(self, services: Sequence[Service]) -> None:
        """Start services at the same time and wait until all are ready; then keep them running.

        Raises:
            StackError: one ended, or was not ready in time; with its last lines.
        """
        try:
            async with asyncio.TaskGroup() as group:
                for service in services:
                    group.create_task(self._start_one(service))
        except ExceptionGroup as failures:
            # Whichever came first; the others were canceled, or failed for the same reason.
            raise failures.exceptions[0] from None

    async def stop(self) -> None:
        """Stop all, the last started first."""
        self.stopping.set()
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        for supervised in reversed(self._supervised):
            await supervised.child.stop()
            self._pid_file(supervised.child.service).unlink(missing_ok=True)

    def kill(self) -> None:
        """Kill everything at once."""
        for supervised in self._supervised:
            supervised.child.kill_group()

    async def _start_one(self, service: Service) -> None:
        started = time.monotonic()
        supervised = _Supervised(await self._spawn(service))
        self._supervised.append(supervised)
        await self._wait_ready(supervised.child)
        if not self.stopping.is_set():
            say(NAME, f"{service.name} ready in {time.monotonic() - started:.1f} s")
            self._watchers.append(asyncio.create_task(self._watch(supervised)))

    async def _spawn(self, service: Service) -> Child:
        try:
            child = await Child.spawn(service, self.state / "logs")
        except OSError as error:
            raise StackError(f"{service.name} cannot be started: {error}") from error
        self._pid_file(service).write_text(str(child.process.pid))
        return child

    def _pid_file(self, service: Service) -> Path:
        return self.state / f"{service.name}.pid"

    async def _wait_ready(self, child: Child) -> None:
        service = child.service
        until = time.monotonic() + service.ready_timeout_s
        while not self.stopping.is_set():
            is_ready = await _probe(service.ready)
            # Asked after the probe: what answered may be an older process that is about to end.
            if child.code is not None:
                await child.ended()
                lines = "\n  ".join(child.tail)
                raise StackError(
                    f"{service.name} ended ({child.code}) before it was ready:\n  {lines}"
                )
            if is_ready:
                return
            if time.monotonic() > until:
                raise StackError(
                    f"{service.name} was not ready after {service.ready_timeout_s:.0f} s; "
                    f"see {self.state / 'logs' / service.name}.log"
                )
            await asyncio.sleep(PROBE_S)

    async def _watch(self, supervised: _Supervised) -> None:
        service = supervised.child.service
        while True:
            code = await supervised.child.ended()
            deaths = supervised.count_death(time.monotonic())
            if service.is_essential and deaths >= DEATHS:
                self._fail(f"{service.name} ended {deaths} times in a minute")
                return
            pause = min(FIRST_PAUSE_S * 2 ** (deaths - 1), MAX_PAUSE_S)
            say(NAME, f"{service.name} ended ({code}); starting it again in {pause:.1f} s")
            await asyncio.sleep(pause)
            await self._start_again(supervised)

    async def _start_again(self, supervised: _Supervised) -> None:
        service = supervised.child.service
        try:
            supervised.child = await self._spawn(service)
            await self._wait_ready(supervised.child)
            say(NAME, f"{service.name} is ready again")
        except StackError as error:
            say(NAME, str(error).splitlines()[0])
            supervised.child.kill_group()

    def _fail(self, reason: str) -> None:
        self.failure = reason
        self.stopping.set()


async def _probe(ready: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await ready()
    except (OSError, TimeoutError):
        return False
