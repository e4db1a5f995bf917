"""One torture run on a running stack: everything submitted, seen through, and held against what it had to be."""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import httpx

from tests.real_comfyui import ask_comfyui
from tests.running import Running
from tests.torture.cases import Case
from tests.torture.checks import broken_logs, problems_of, thumbnails
from tests.torture.watch import Watch

ROOM_BYTES: Final = 64 << 20
"""A service may weigh so much more, and half as much again, in the last third of a run than in its first."""
MAX_LOG_BYTES: Final = 2 * 10_000_000 + (1 << 20)


@dataclass
class Torture:
    """What was submitted, and what became of it."""

    stack: Running
    client: httpx.Client
    by_job: dict[str, Case] = field(default_factory=dict[str, Case])
    refused: list[tuple[Case, httpx.Response]] = field(
        default_factory=list[tuple[Case, httpx.Response]]
    )
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = Watch(self.stack, self.by_job)

    def run(self, cases: Iterable[Case]) -> None:
        """Submit all, see them through, and fetch what became of each."""
        for case in cases:
            self._submit(case)
        self.watch.until_done(self.client)
        for job_id in self.by_job:
            reply = self.client.get(f"{self.stack.api}/jobs/{job_id}", headers=self.stack.auth)
            self.jobs[job_id] = reply.raise_for_status().json()

    def _submit(self, case: Case) -> None:
        body = {
            "workflow": case.graph,
            "deadline_s": case.deadline_s,
            "max_tries": case.max_tries,
            "tags": [case.kind],
        }
        reply = self.client.post(f"{self.stack.api}/jobs", json=body, headers=self.stack.auth)
        if case.status == "refused":
            self.refused.append((case, reply))
            return
        assert reply.status_code == 201, (case.kind, reply.text)
        job_id = reply.json()["id"]
        self.by_job[job_id] = case
        if case.cancel == "queued":
            time.sleep(case.cancel_after_s)
            self.watch.cancel(self.client, job_id)

    def problems(self) -> list[str]:
        """All that is not as it has to be."""
        found = [
            f"{case.kind} {job_id}: {problem}"
            for job_id, case in self.by_job.items()
            for problem in self._of_job(job_id, case)
        ]
        found += [
            f"{case.kind}: answered {reply.status_code} {reply.text[:200]}"
            for case, reply in self.refused
            if reply.status_code != 422 or str(case.code) not in reply.text
        ]
        found += [f"the log of a job is broken: {row}" for row in broken_logs(self.stack)]
        return found + self._left() + self._grown()

    def _of_job(self, job_id: str, case: Case) -> Iterator[str]:
        canceled = job_id in self.watch.accepted
        yield from problems_of(case, self.jobs[job_id], self.client, canceled=canceled)
        if case.logs and case.logs not in self._log_of(job_id):
            yield f"its log does not say {case.logs!r}"

    def _log_of(self, job_id: str) -> str:
        reply = self.client.get(f"{self.stack.api}/jobs/{job_id}/logs", headers=self.stack.auth)
        return reply.text

    def _left(self) -> list[str]:
        """Files and memories in ComfyUI."""
        found: list[str] = []
        if history := ask_comfyui(self.stack, "/history"):
            found.append(f"ComfyUI remembers {len(history)} prompts")
        queue = ask_comfyui(self.stack, "/queue")
        if queue != {"queue_running": [], "queue_pending": []}:
            found.append(f"ComfyUI's queue: {str(queue)[:200]}")
        worker = self.stack.state / "worker"
        for name in ("input", "output", "temp", "user"):
            paths = [p.relative_to(worker) for p in (worker / name).rglob("*") if p.is_file()]
            ours = [path for path in paths if name != "user" or path.name.startswith("torture")]
            if ours:
                found.append(f"{len(ours)} files are left in {name}: {[*map(str, ours[:5])]}")
        written = sum(path.stat().st_size for path in worker.glob("comfyui.log*"))
        if written > MAX_LOG_BYTES:
            found.append(f"ComfyUI's logs have {written} bytes")
        return found

    def _grown(self) -> list[str]:
        found: list[str] = []
        for service, weights in self.watch.weights.items():
            third = max(1, len(weights) // 3)
            first, last = max(weights[:third]), min(weights[-third:])
            if last > 1.5 * first + ROOM_BYTES:
                found.append(f"{service} grew from {first >> 20} to {last >> 20} MB")
        return found

    def summary(self, seconds: float) -> str:
        """One line: what there was of each kind and what it took."""
        counts: dict[str, int] = defaultdict(int)
        took: dict[str, float] = defaultdict(float)
        for job_id, case in self.by_job.items():
            counts[case.kind] += 1
            took[case.kind] += seconds_of(self.jobs[job_id])
        kinds = ", ".join(f"{counts[kind]} {kind} {took[kind]:.0f} s" for kind in sorted(counts))
        pictures, with_thumbnail = thumbnails(self.jobs)
        weights = ", ".join(
            f"{service} {min(rss) >> 20}-{max(rss) >> 20} MB at last {rss[-1] >> 20}"
            for service, rss in self.watch.weights.items()
        )
        return (
            f"{seconds:.0f} s, {len(self.refused)} refused, {len(self.watch.accepted)} canceled, "
            f"{pictures} pictures of which {with_thumbnail} have thumbnails; {weights}; {kinds}"
        )


def seconds_of(job: dict[str, Any]) -> float:
    """From its first start to its end."""
    if not job["started_at"]:
        return 0.0
    times = [datetime.fromisoformat(job[name]) for name in ("started_at", "completed_at")]
    return (times[1] - times[0]).total_seconds()
