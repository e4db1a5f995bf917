"""`./dev soak`: jobs at random, faults at random, and what is left of the promises at the end.

The last line is one JSON object; the exit code is 0 only if every promise was kept.
"""

import asyncio
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import psycopg

from infra.soak.callers import Callers
from infra.soak.executors import Executors
from infra.soak.faults import Faults
from infra.soak.stack import SoakError, SoakStack, soak_stack
from infra.soak.verdict import Verdict, judge

OUTSTANDING: Final = 150
"""Jobs that may wait or run at once."""
ENDS_WITHIN_S: Final = 180.0
"""After the last submit: what has not ended by then is lost."""
SHOW_EVERY_S: Final = 0.5
LINE_EVERY_S: Final = 10.0
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of our own in it
_ROOM_BYTES: Final = 4 << 30
_HTTP: Final = httpx.Timeout(10.0, connect=2.0)
_LIMITS: Final = httpx.Limits(max_connections=None)


@dataclass(frozen=True, slots=True)
class SoakOptions:
    """What the command line said."""

    jobs: int
    seed: int
    executors: int = 12
    keep: Path | None = None
    """Leave the state folder here, with its logs."""


def soak(options: SoakOptions) -> int:
    """Run one; returns the exit code and has printed the result."""
    started = time.monotonic()
    signal.signal(signal.SIGTERM, _leave)
    try:
        with _folder(options.keep) as folder, soak_stack(folder, options.seed) as stack:
            result = asyncio.run(_Soak(stack, options).run())
    except (SoakError, psycopg.Error) as error:
        print(f"soak: {error}", file=sys.stderr)
        return 2
    result["total_s"] = round(time.monotonic() - started, 1)
    print(json.dumps(result), flush=True)
    return 1 if result["surprises"] or any(result[name] for name in result["promises"]) else 0


def _leave(number: int, _frame: object) -> None:
    """As an exception, so that the stack ends too."""
    sys.exit(128 + number)


@dataclass(frozen=True, slots=True)
class _Soak:
    stack: SoakStack
    options: SoakOptions

    async def run(self) -> dict[str, Any]:
        stack, seed = self.stack, self.options.seed
        auth = {"Authorization": f"Bearer {stack.api_key}"}
        async with (
            httpx.AsyncClient(
                base_url=f"{stack.url}/api/v2", headers=auth, timeout=_HTTP, limits=_LIMITS
            ) as direct,
            httpx.AsyncClient(base_url=stack.proxy.url, timeout=_HTTP, limits=_LIMITS) as proxied,
        ):
            callers = Callers(stack, seed, direct, asyncio.Semaphore(OUTSTANDING))
            executors = Executors(stack, seed, proxied)
            faults = Faults(stack, random.Random(seed))  # noqa: S311 - chance, not secrecy
            await executors.register()
            started = time.monotonic()
            playing = asyncio.create_task(executors.run(self.options.executors))
            hurting = asyncio.create_task(faults.run())
            watching = asyncio.create_task(self._watch(callers, faults))
            try:
                await _first(callers.run(self.options.jobs), playing, hurting, watching)
                # What is on its way is hurt too; then it must come to its end.
                await _first(
                    self._ended(len(callers.accepted) - OUTSTANDING // 3), playing, hurting
                )
                await _stop(hurting)
                await _first(self._ended(len(callers.accepted), ENDS_WITHIN_S), playing)
                seconds = time.monotonic() - started
                await executors.wait_for_zombies()
            finally:
                await _stop(hurting, playing, watching)
        accepted = [UUID(job_id) for job_id in callers.accepted]
        verdict = judge(stack.database_url, accepted, [UUID(i) for i in callers.canceled])
        return self._result(verdict, callers, executors, faults, seconds)

    def _result(
        self,
        verdict: Verdict,
        callers: Callers,
        executors: Executors,
        faults: Faults,
        seconds: float,
    ) -> dict[str, Any]:
        broken = dict(verdict.broken)
        broken["stale_accepted"] += executors.tally.stale_accepted
        return {
            "jobs": len(callers.accepted),
            **broken,
            "seconds": round(seconds, 1),
            "seed": self.options.seed,
            "jobs_per_s": round(len(callers.accepted) / seconds, 1),
            "statuses": {row["status"]: row["jobs"] for row in verdict.summary},
            "starts": int(sum(row["starts"] for row in verdict.summary)),
            "canceled": len(callers.canceled),
            "submits_repeated": callers.repeated,
            "stale_refused": executors.tally.refused,
            "surprises": executors.tally.surprises[:5],
            "faults": dict(sorted(faults.done.items())),
            "promises": sorted(broken),
        }

    async def _ended(self, wanted: int, within_s: float = 1e9) -> None:
        until = time.monotonic() + within_s
        while await _count_ended(self.stack) < wanted and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(SHOW_EVERY_S)

    async def _watch(self, callers: Callers, faults: Faults) -> None:
        """Give back room as jobs end, and say how far it is."""
        started, known, said_at = time.monotonic(), 0, 0.0
        while True:
            ended = await _count_ended(self.stack)
            for _ in range(ended - known):
                callers.room.release()
            known = max(known, ended)
            pause_s = SHOW_EVERY_S if sys.stderr.isatty() else LINE_EVERY_S
            if time.monotonic() - said_at >= pause_s:
                said_at = time.monotonic()
                _show(known, self.options.jobs, faults, said_at - started)
            await asyncio.sleep(SHOW_EVERY_S)


def _show(ended: int, jobs: int, faults: Faults, seconds: float) -> None:
    done = int(30 * ended / max(jobs, 1))
    line = (
        f"soak [{'#' * done}{'.' * (30 - done)}] {ended}/{jobs} jobs, "
        f"{sum(faults.done.values())} faults, {ended / max(seconds, 1e-9):.1f} jobs/s"
    )
    over = sys.stderr.isatty()
    print(f"\r{line}" if over else line, end="" if over else "\n", file=sys.stderr, flush=True)


async def _count_ended(stack: SoakStack) -> int:
    """Jobs at their end; 0 while the database cannot be asked."""
    stack.check_alive()
    try:
        async with asyncio.timeout(3):
            async with await psycopg.AsyncConnection.connect(stack.database_url) as connection:
                found = await connection.execute(
                    "select count(*) from app.jobs where ended_at is not null"
                )
                row = await found.fetchone()
    except (psycopg.Error, TimeoutError):
        return 0
    return int(row[0]) if row else 0


async def _first(work: Any, *others: "asyncio.Task[None]") -> None:
    """Until the work is done; an end of the others is an error of theirs."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait({task, *others}, return_when=asyncio.FIRST_COMPLETED)
    if task not in done:
        task.cancel()
    for finished in done:
        finished.result()


async def _stop(*tasks: "asyncio.Task[None]") -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _folder(keep: Path | None) -> Generator[Path]:
    """Where the stack keeps everything: in memory where there is room, so that disks do not decide."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    has_room = _SHARED_MEMORY.is_dir() and shutil.disk_usage(_SHARED_MEMORY).free > _ROOM_BYTES
    place = _SHARED_MEMORY if has_room else None
    with tempfile.TemporaryDirectory(prefix="comfyburst-soak-", dir=place) as folder:
        yield Path(folder)
