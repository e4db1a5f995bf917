"""While a torture run goes on: cancels at their moments, and what its processes weigh and leave behind."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import psutil

from tests.running import Running
from tests.torture.cases import Case

LOOK_EVERY_S: Final = 0.2
WEIGH_EVERY_S: Final = 2.0
STUCK_AFTER_S: Final = 180.0
"""No job ended for so long: twelve stalls, or a boot of a machine on its knees."""


@dataclass
class Watch:
    """Looks at a stack until nothing is left to run."""

    stack: Running
    cases: Mapping[str, Case]
    """By job."""
    accepted: set[str] = field(default_factory=set[str])
    """Cancels that were answered as such: none of them may end otherwise."""
    weights: dict[str, list[int]] = field(default_factory=lambda: {"worker": [], "front-door": []})
    """Bytes in memory, by service, in the order of time."""
    seen: dict[tuple[int, float], psutil.Process] = field(
        default_factory=dict[tuple[int, float], psutil.Process]
    )
    """Every process below the supervisor."""
    _due: dict[str, float] = field(default_factory=dict[str, float])
    _canceled: set[str] = field(default_factory=set[str])

    def until_done(self, client: httpx.Client) -> None:
        """Look again and again; raises AssertionError when nothing moves."""
        left, moved_at, weighed_at = -1, time.monotonic(), 0.0
        while True:
            self._cancel(client)
            now = time.monotonic()
            if now - weighed_at > WEIGH_EVERY_S:
                weighed_at = now
                self._weigh()
                [row] = self.stack.rows("select count(*) from app.jobs where ended_at is null")
                if row["count"] == 0:
                    return
                if row["count"] != left:
                    left, moved_at = row["count"], now
                assert now - moved_at < STUCK_AFTER_S, self._stuck(client)
            time.sleep(LOOK_EVERY_S)

    def _cancel(self, client: httpx.Client) -> None:
        for job in self._running(client):
            case = self.cases.get(job["id"])
            if case is not None and case.cancel == "running" and job["id"] not in self._canceled:
                self._due.setdefault(job["id"], time.monotonic() + case.cancel_after_s)
        for job_id in [job_id for job_id, at in self._due.items() if at <= time.monotonic()]:
            del self._due[job_id]
            self.cancel(client, job_id)

    def cancel(self, client: httpx.Client, job_id: str) -> None:
        """Ask, and remember what was answered."""
        self._canceled.add(job_id)
        reply = client.post(f"{self.stack.api}/jobs/{job_id}/cancel", headers=self.stack.auth)
        assert reply.status_code == 200, reply.text
        if reply.json()["status"] in {"canceling", "canceled"}:
            self.accepted.add(job_id)

    def _running(self, client: httpx.Client) -> list[dict[str, Any]]:
        reply = client.get(
            f"{self.stack.api}/jobs?status=running&limit=10", headers=self.stack.auth
        )
        assert reply.status_code == 200, reply.text
        return reply.json()["jobs"]

    def _weigh(self) -> None:
        for service, weights in self.weights.items():
            weights.append(psutil.Process(self.stack.pid(service)).memory_info().rss)
        for process in psutil.Process(self.stack.process.pid).children(recursive=True):
            self.seen[process.pid, process.create_time()] = process

    def left_behind(self) -> list[str]:
        """Once the stack has stopped: what of it still runs."""
        left = [process for process in self.seen.values() if process.is_running()]
        return [
            f"{process.pid}: {' '.join(process.cmdline())[-120:]}"
            for process in left
            if process.status() != psutil.STATUS_ZOMBIE
        ]

    def end_all(self) -> None:
        """Leave the machine as it was, whatever the product left."""
        for process in self.seen.values():
            if process.is_running():
                process.kill()

    def _stuck(self, client: httpx.Client) -> str:
        running = [(job["id"], self.cases[job["id"]].kind) for job in self._running(client)]
        return f"nothing ended for {STUCK_AFTER_S} s; running: {running}\n{self.stack.log('worker')[-4_000:]}"
