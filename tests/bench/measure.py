"""Paired timing: subject and floor in turn, so that a drifting machine moves both; medians and ratios."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

ROUNDS = 40
PER_ROUND = 10


@dataclass(frozen=True, slots=True)
class Pair:
    """Median milliseconds of both, and the median of the rounds' ratios."""

    subject_ms: float
    floor_ms: float
    ratio: float

    def line(self, subject: str, floor: str) -> str:
        """For people."""
        return (
            f"{subject}: {self.subject_ms:.2f} ms; {floor}: {self.floor_ms:.2f} ms; "
            f"ratio {self.ratio:.2f}"
        )


def paired(
    subject: Callable[[], object],
    floor: Callable[[], object],
    *,
    rounds: int = ROUNDS,
    per_round: int = PER_ROUND,
) -> Pair:
    """Time both in turn, round by round, after a warm-up."""
    timed(subject, per_round)
    timed(floor, per_round)
    subjects: list[float] = []
    floors: list[float] = []
    for _ in range(rounds):
        subjects.append(timed(subject, per_round))
        floors.append(timed(floor, per_round))
    ratios = [s / f for s, f in zip(subjects, floors, strict=True)]
    return Pair(statistics.median(subjects), statistics.median(floors), statistics.median(ratios))


def timed(work: Callable[[], object], times: int) -> float:
    """Median milliseconds of one call."""
    taken: list[float] = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1_000)
    return statistics.median(taken)
