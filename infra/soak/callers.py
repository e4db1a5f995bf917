"""Callers: they submit until they hear 201, and cancel some of what they submitted."""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from infra.soak.plans import MAX_TRIES, JobPlan, job_plan
from infra.soak.stack import SoakStack

AT_ONCE: Final = 8
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_PAUSE_S: Final = 0.6


class RefusedError(Exception):
    """A submit was answered with something else than 201 or try again."""


@dataclass(slots=True)
class Callers:
    """All callers of one soak. `accepted` and `canceled` are what they were promised."""

    stack: SoakStack
    seed: int
    http: httpx.AsyncClient
    room: asyncio.Semaphore
    """One taken for each job that is submitted; given back as jobs end."""
    accepted: dict[str, int] = field(default_factory=dict[str, int])
    """Job ids that were answered 201, and the number of each."""
    canceled: set[str] = field(default_factory=set[str])
    """Jobs whose cancel was answered 200 before they had ended."""
    repeated: int = 0
    """Submits that had to be said again."""

    async def run(self, jobs: int) -> None:
        """Until that many are accepted and every cancel is answered."""
        numbers = iter(range(jobs))
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._submit_all(numbers, group))

    async def _submit_all(self, numbers: Iterator[int], group: asyncio.TaskGroup) -> None:
        for number in numbers:
            await self.room.acquire()
            plan = job_plan(self.seed, number)
            job_id = await self._submit(plan)
            self.accepted[job_id] = number
            if plan.cancel_after_s is not None:
                group.create_task(self._cancel(job_id, plan.cancel_after_s))

    async def _submit(self, plan: JobPlan) -> str:
        body: dict[str, Any] = {"workflow": plan.graph, "environment": plan.environment}
        body |= {"max_tries": MAX_TRIES, "priority": plan.number % 3}
        reply = await self._insist("/jobs", body, {"Idempotency-Key": f"soak-{plan.number}"})
        if reply.status_code != 201:
            raise RefusedError(f"submit: {reply.status_code} {reply.text[:300]}")
        return str(reply.json()["id"])

    async def _cancel(self, job_id: str, after_s: float) -> None:
        await asyncio.sleep(after_s)
        reply = await self._insist(f"/jobs/{job_id}/cancel", None, {})
        if reply.status_code != 200:
            raise RefusedError(f"cancel: {reply.status_code} {reply.text[:300]}")
        if reply.json()["status"] in {"canceling", "canceled"}:
            self.canceled.add(job_id)

    async def _insist(
        self, path: str, body: dict[str, Any] | None, headers: dict[str, str]
    ) -> httpx.Response:
        while True:
            try:
                reply = await self.http.post(path, json=body, headers=headers)
            except httpx.TransportError:
                reply = None
            if reply is not None and reply.status_code not in _AGAIN:
                return reply
            self.repeated += 1
            await asyncio.sleep(random.uniform(0, _PAUSE_S))  # noqa: S311 - jitter
