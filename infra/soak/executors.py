"""Scripted executors: an executor's HTTP without a ComfyUI, with all the manners a bad network gives it.

What a run writes carries its epoch, so that a write of an old run which was taken can be told from
the rows afterwards; one that knows itself to be old counts at once what it is still granted.
"""

import asyncio
import random
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import psycopg

from infra.soak.plans import OBJECT_INFO, RunPlan, run_plan
from infra.soak.stack import ENVIRONMENT, LEASE_S, SoakStack

CONTENT: Final = b"soak"
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 1.0
_IDLE_S: Final = 0.15
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_KNOWN: Final = frozenset({200, 409})
_FAILURES: Final = {"user": "node_error", "oom": "gpu_oom", "infra": "comfyui_crashed"}

Json = dict[str, Any]


class OverError(Exception):
    """The front door told this run that it no longer counts."""


@dataclass(slots=True)
class Tally:
    """What the executors of one soak saw."""

    starts: int = 0
    refused: int = 0
    """Writes of runs that no longer counted."""
    stale_accepted: int = 0
    """Writes of runs whose job had a newer epoch before they were sent, and that were taken."""
    surprises: list[str] = field(default_factory=list[str])
    """Answers that no executor should get."""


@dataclass(slots=True)
class Executors:
    """Any number of them in this process; `run` goes on until canceled."""

    stack: SoakStack
    seed: int
    http: httpx.AsyncClient
    tally: Tally = field(default_factory=Tally)
    _zombies: "set[asyncio.Task[None]]" = field(default_factory=set["asyncio.Task[None]"])

    async def run(self, count: int) -> None:
        """Claim and run until canceled."""
        tokens = [self.stack.worker_token() for _ in range(count)]
        try:
            async with asyncio.TaskGroup() as group:
                for token in tokens:
                    group.create_task(self._work(token))
        finally:
            for zombie in self._zombies:
                zombie.cancel()

    async def wait_for_zombies(self) -> None:
        """Until every run that fell silent has said its last."""
        while self._zombies:
            await asyncio.gather(*self._zombies, return_exceptions=True)

    async def register(self) -> None:
        """Say what they can run: before it no job of theirs is taken."""
        body: Json = {"comfyui_version": "soak", "is_engine": True, "python_version": "3"}
        body |= {"devices": [], "object_info": OBJECT_INFO, "output_kinds": ["image"]}
        path = f"/internal/environments/{ENVIRONMENT}/soak"
        await self.insist("PUT", path, self.stack.worker_token(), body)

    async def _work(self, token: str) -> None:
        while True:
            claim: Json = {"claim_id": str(uuid4()), "backend": "local", "executor_id": "soak"}
            claim |= {"environment": ENVIRONMENT, "environment_digest": "soak"}
            reply = await self.insist("POST", "/internal/claims", token, claim)
            if reply.status_code != 200:
                await asyncio.sleep(_IDLE_S)
                continue
            self.tally.starts += 1
            try:
                await self._play(reply.json())
            except OverError:
                self.tally.refused += 1

    async def _play(self, ticket: Json) -> None:
        number = int(ticket["graph"]["1"]["inputs"]["number"])
        plan = run_plan(self.seed, number, ticket["epoch"])
        run = _Run(self, ticket, plan)
        if plan.ending == "silence":
            return
        if plan.ending == "zombie":
            zombie = asyncio.create_task(run.come_back_too_late(number))
            self._zombies.add(zombie)
            zombie.add_done_callback(self._zombies.discard)
            return
        await run.to_the_end()

    async def insist(self, method: str, path: str, token: str, body: Json) -> httpx.Response:
        """The same call until it is answered by the front door itself."""
        pause_s = _FIRST_PAUSE_S
        while True:
            reply = await self.once(method, path, token, body)
            if reply is not None and reply.status_code not in _AGAIN:
                return reply
            await asyncio.sleep(random.uniform(pause_s / 2, pause_s))  # noqa: S311 - jitter
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def once(self, method: str, path: str, token: str, body: Json) -> httpx.Response | None:
        """One call; None where no answer came."""
        headers = {"Authorization": f"Bearer {token}"}
        try:
            return await self.http.request(method, path, json=body, headers=headers)
        except httpx.TransportError:
            return None

    async def newer_epoch(self, job_id: str, epoch: int) -> bool:
        """Whether the rows say already that a run is over; False where they cannot be asked."""
        try:
            async with await psycopg.AsyncConnection.connect(
                self.stack.database_url, connect_timeout=2
            ) as connection:
                found = await connection.execute(
                    "select epoch from app.jobs where id = %s", [UUID(job_id)]
                )
                row = await found.fetchone()
        except psycopg.Error:
            return False
        return row is not None and row[0] > epoch


@dataclass(slots=True)
class _Run:
    executors: Executors
    ticket: Json
    plan: RunPlan
    seq: int = 0
    said: list[Json] = field(default_factory=list[Json])

    async def to_the_end(self) -> None:
        plan = self.plan
        batches = [[self._log()] for _ in range(plan.logs)]
        if plan.manner == "reordered" and len(batches) > 1:
            await self._events(batches[-1])  # a gap: refused, and said again in its turn
        for batch in batches:
            await self._say(batch)
        for _ in range(plan.outputs):
            asset_id = await self._put_output()
            await self._say([self._numbered({"type": "output", "asset_id": asset_id})])
        ending = self._numbered(self._ending())
        if plan.asks and await self._say([]) and plan.heeds_cancel:
            ending["event"] = {"type": "canceled"}
        await self._say([ending])
        if plan.manner == "late" and self.said:
            await self._events([self.said[0]])

    async def come_back_too_late(self, number: int) -> None:
        """Freeze for longer than a lease, then write as if nothing had been."""
        await asyncio.sleep(LEASE_S * (1 + (number % 5) / 3))
        executors, epoch = self.executors, int(self.ticket["epoch"])
        old = await executors.newer_epoch(self.ticket["job_id"], epoch)
        replies = [
            await self._events([self._log()]),
            await self._events([], progress=True),
            await self._register_output(),
            await self._events([{"client_seq": 1, "event": self._ending()}]),
        ]
        taken = [reply for reply in replies if reply is not None and _was_taken(reply)]
        if old:
            executors.tally.stale_accepted += len(taken)
            executors.tally.refused += len(replies) - len(taken)

    # --- what is said -------------------------------------------------------------------------

    def _numbered(self, event: Json) -> Json:
        self.seq += 1
        return {"client_seq": self.seq, "event": event}

    def _log(self) -> Json:
        message = f"epoch {self.ticket['epoch']}"
        return self._numbered({"type": "log", "level": "info", "message": message})

    def _ending(self) -> Json:
        ending = self.plan.ending
        if ending in _FAILURES:
            message = f"epoch {self.ticket['epoch']}"
            return {"type": "failed", "failure": {"code": _FAILURES[ending], "message": message}}
        if ending == "interrupted":
            return {"type": "interrupted", "restarts": False}
        return {"type": "succeeded", "timings_ms": {"epoch": self.ticket["epoch"]}}

    # --- how ----------------------------------------------------------------------------------

    async def _say(self, transitions: list[Json]) -> bool:
        """Until it is answered; returns whether a cancel is asked for. Raises OverError."""
        await asyncio.sleep(self.plan.pause_s)
        again = self.plan.manner == "twice" and bool(transitions)
        reply = await self._events(transitions, insist=True)
        if again:
            await self._events(transitions, insist=True)
        self.said += transitions
        assert reply is not None
        if reply.status_code not in _KNOWN:
            self.executors.tally.surprises.append(f"{reply.status_code} {reply.text[:200]}")
        if reply.status_code != 200 or reply.json()["stop"]:
            raise OverError
        return bool(reply.json()["cancel"])

    async def _events(
        self, transitions: list[Json], *, progress: bool = False, insist: bool = False
    ) -> httpx.Response | None:
        body: Json = {"transitions": transitions}
        if progress:
            body["progress"] = {"value": 0.5, "nodes_done": 0, "nodes_total": 1}
        path = f"/internal/jobs/{self.ticket['job_id']}/events"
        call = self.executors.insist if insist else self.executors.once
        return await call("POST", path, self.ticket["event_token"], body)

    async def _register_output(self) -> httpx.Response:
        body: Json = {"node_id": "1", "kind": "image", "content_type": "image/png"}
        body |= {"name": f"epoch-{self.ticket['epoch']}.png", "size_bytes": len(CONTENT)}
        path = f"/internal/jobs/{self.ticket['job_id']}/outputs"
        return await self.executors.insist("POST", path, self.ticket["event_token"], body)

    async def _put_output(self) -> str:
        """Register and store one; a fresh place where the answer was lost. Raises OverError."""
        while True:
            reply = await self._register_output()
            if reply.status_code != 201:
                raise OverError
            grant = reply.json()
            try:
                stored = await self.executors.http.put(
                    grant["url"], content=CONTENT, headers=grant["headers"]
                )
            except httpx.TransportError:
                continue
            if stored.status_code in {200, 201, 412}:
                return str(grant["asset_id"])


def _was_taken(reply: httpx.Response) -> bool:
    if reply.status_code == 201:
        return True
    return reply.status_code == 200 and not reply.json()["stop"]
