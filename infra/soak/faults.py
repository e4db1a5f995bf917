"""What is done to the stack while jobs run: kills, freezes, a flush, and a network that fails."""

import asyncio
import os
import random
import signal
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import psycopg
from redis.asyncio import Redis
from redis.exceptions import RedisError

from infra.soak.proxy import Fault
from infra.soak.stack import LEASE_S, SoakStack, signal_all

DEATHS_A_MINUTE: Final = 3
"""Five within a minute, and the supervisor rightly gives up on an essential service."""
_EVERY_S: Final = (1.0, 4.0)


@dataclass(slots=True)
class Faults:
    """Does one thing after another until canceled, then heals what it did."""

    stack: SoakStack
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter[str])
    _deaths: dict[str, deque[float]] = field(default_factory=dict[str, deque[float]])

    async def run(self) -> None:
        """Until canceled."""
        kinds = self._kinds()
        names, weights = list(kinds), [weight for weight, _ in kinds.values()]
        try:
            while True:
                await asyncio.sleep(self.chance.uniform(*_EVERY_S))
                self.stack.check_alive()
                await asyncio.to_thread(self.stack.keep_second_worker)
                name = self.chance.choices(names, weights)[0]
                # A service may be between two lives: then there is nothing to hurt.
                with suppress(OSError, ValueError, psycopg.Error, RedisError):
                    await kinds[name][1]()
                    self.done[name] += 1
        finally:
            self.stack.proxy.heal()

    def _kinds(self) -> dict[str, tuple[float, Callable[[], Awaitable[None]]]]:
        return {
            "kill worker": (1, self._kill_worker),
            "kill comfyui": (1, self._kill_comfyui),
            "kill front door": (2, lambda: self._kill("front-door")),
            "kill postgres": (2, lambda: self._kill("postgres")),
            "kill valkey": (2, lambda: self._kill("valkey")),
            "freeze worker": (1, self._freeze_worker),
            "freeze front door": (1, lambda: self._freeze("front-door")),
            "freeze postgres": (1, lambda: self._freeze("postgres")),
            "freeze valkey": (2, lambda: self._freeze("valkey")),
            "flush valkey": (2, self._flush),
            "cut database connections": (2, self._cut_database),
            "lost answers": (3, lambda: self._network(Fault("cut", chance=0.3))),
            "half answers": (2, lambda: self._network(Fault("cut", after_bytes=40, chance=0.3))),
            "slow network": (2, lambda: self._network(Fault("delay", delay_s=0.2, chance=0.5))),
            "503": (2, lambda: self._network(Fault("answer", chance=0.5))),
            "silence": (1, lambda: self._network(Fault("blackhole"))),
            "nobody there": (1, lambda: self._network(Fault("refuse"))),
        }

    async def _kill(self, service: str) -> None:
        deaths = self._deaths.setdefault(service, deque())
        while deaths and time.monotonic() - deaths[0] > 60:
            deaths.popleft()
        if len(deaths) < DEATHS_A_MINUTE:
            deaths.append(time.monotonic())
            os.kill(self.stack.pid(service), signal.SIGKILL)

    async def _kill_worker(self) -> None:
        os.kill(self.chance.choice(self.stack.workers()), signal.SIGKILL)

    async def _kill_comfyui(self) -> None:
        if engines := self.stack.engines():
            os.kill(self.chance.choice(engines), signal.SIGKILL)

    async def _freeze_worker(self) -> None:
        await self._frozen([self.chance.choice(self.stack.workers())], LEASE_S * 1.5)

    async def _freeze(self, service: str) -> None:
        await self._frozen(self.stack.family(service), self.chance.uniform(0.5, LEASE_S))

    async def _frozen(self, pids: list[int], seconds: float) -> None:
        signal_all(pids, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            signal_all(pids, signal.SIGCONT)

    async def _flush(self) -> None:
        async with Redis.from_url(self.stack.redis_url) as redis:
            await redis.flushall()

    async def _cut_database(self) -> None:
        async with await psycopg.AsyncConnection.connect(
            self.stack.database_url, connect_timeout=2
        ) as connection:
            await connection.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where backend_type = 'client backend' and pid <> pg_backend_pid()"
            )

    async def _network(self, fault: Fault) -> None:
        self.stack.proxy.set(fault)
        try:
            await asyncio.sleep(self.chance.uniform(0.5, 2.0))
        finally:
            self.stack.proxy.heal()
