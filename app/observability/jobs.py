"""Jobs in numbers: every transition this process committed, and what an ended one had of its time.

The times come with the statement that ended the job, so they cost no query.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from app.events.hub import Move

_WAIT_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400)
_RUN_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600)
_TRIES: Final = (1, 2, 3, 5, 10)
_WAITING: Final = frozenset({"queued", "dispatched"})


def changes_status(move: Move) -> bool:
    """An output, a line of its log and the wish to cancel it leave a job where it is."""
    return move.started or move.ended or move.status in _WAITING


class JobMetrics:
    """The instruments."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._transitions = Counter(
            "comfyburst_job_transitions",
            "Moves to a status: `queued` on submit and whenever a job goes back.",
            ("status",),
            registry=registry,
        )
        self._wait = Histogram(
            "comfyburst_job_wait_seconds",
            "From submit to the first start, of jobs that have ended.",
            buckets=_WAIT_SECONDS,
            registry=registry,
        )
        self._run = Histogram(
            "comfyburst_job_run_seconds",
            "From the first start to the end, pauses between starts included.",
            ("status",),
            buckets=_RUN_SECONDS,
            registry=registry,
        )
        self._tries = Histogram(
            "comfyburst_job_tries",
            "Starts of jobs that have ended.",
            buckets=_TRIES,
            registry=registry,
        )

    def moved(self, move: Move) -> None:
        """Count a change of status."""
        self._transitions.labels(move.status).inc()
        lifetime = move.lifetime
        if lifetime is None:
            return
        self._tries.observe(lifetime.tries)
        if lifetime.waited_s is not None:
            self._wait.observe(lifetime.waited_s)
        if lifetime.ran_s is not None:
            self._run.labels(move.status).observe(lifetime.ran_s)
