"""What the so-many-th job is, and how its starts go: drawn from the seed, so that a soak can be repeated.

Most jobs are for scripted executors, which speak an executor's HTTP without a ComfyUI; every
twentieth runs on a real worker with the engine.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from infra.soak.stack import ENVIRONMENT

REAL_EVERY: Final = 20
CANCELED: Final = 0.08
MAX_TRIES: Final = 4
_ASKS: Final = 0.4

Ending = Literal["succeeded", "user", "oom", "infra", "interrupted", "silence", "zombie"]
Manner = Literal["plain", "twice", "reordered", "late"]

Choice = TypeVar("Choice", bound=str)

_ENDINGS: Final[Mapping[Ending, float]] = {
    "succeeded": 0.76,
    "user": 0.05,
    "oom": 0.03,
    "infra": 0.06,
    "interrupted": 0.03,
    "silence": 0.02,
    "zombie": 0.05,
}
_MANNERS: Final[Mapping[Manner, float]] = {
    "plain": 0.6,
    "twice": 0.2,
    "reordered": 0.1,
    "late": 0.1,
}
_IMAGE: Final = {
    "class_type": "EmptyImage",
    "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0},
}
OBJECT_INFO: Final[dict[str, Any]] = {
    "Soak": {
        "input": {"required": {"number": ["INT", {"min": 0, "max": 10**9}]}},
        "output": [],
        "output_node": True,
    }
}


@dataclass(frozen=True, slots=True)
class JobPlan:
    """One job, as its caller submits it."""

    number: int
    environment: str
    graph: dict[str, Any]
    cancel_after_s: float | None
    """Canceled so long after the submit; None: never."""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """One start of a job on a scripted executor."""

    logs: int
    outputs: int
    asks: bool
    """Sends a heartbeat before its end, and hears there of a cancel."""
    pause_s: float
    ending: Ending
    manner: Manner
    heeds_cancel: bool


def job_plan(seed: int, number: int) -> JobPlan:
    """The so-many-th job of a soak."""
    chance = _chance(seed, number)
    real = number % REAL_EVERY == REAL_EVERY - 1
    cancel = chance.random() < CANCELED
    return JobPlan(
        number,
        "local" if real else ENVIRONMENT,
        _real_graph(chance) if real else _scripted_graph(number),
        chance.uniform(0, 1.5) if cancel else None,
    )


def run_plan(seed: int, number: int, epoch: int) -> RunPlan:
    """How a start of that job goes; another start goes another way."""
    chance = _chance(seed, number, epoch)
    return RunPlan(
        logs=chance.choice((0, 0, 0, 1, 3)),
        outputs=chance.choice((0, 0, 0, 0, 0, 0, 1, 2)),
        asks=chance.random() < _ASKS,
        pause_s=chance.choice((0.0, 0.0, 0.02, 0.2)),
        ending=_chosen(chance, _ENDINGS),
        manner=_chosen(chance, _MANNERS),
        heeds_cancel=chance.random() < 0.7,
    )


def _chosen(chance: random.Random, weights: Mapping[Choice, float]) -> Choice:
    return chance.choices(list(weights), list(weights.values()))[0]


def _chance(*parts: int) -> random.Random:
    return random.Random(":".join(map(str, parts)))  # noqa: S311 - chance, not secrecy


def _scripted_graph(number: int) -> dict[str, Any]:
    return {"1": {"class_type": "Soak", "inputs": {"number": number}}}


def _real_graph(chance: random.Random) -> dict[str, Any]:
    """For the engine: mostly a few steps, sometimes a bug, no memory, a dead process."""
    kind = chance.choices(("steps", "error", "memory", "crash"), (0.8, 0.08, 0.06, 0.06))[0]
    inputs: dict[str, Any] = {"image": ["1", 0]}
    match kind:
        case "error":
            node = ("BurstProbeError", {"kind": "ValueError", "message": "boom", **inputs})
        case "memory":
            node = ("BurstProbeOutOfMemory", inputs)
        case "crash":
            node = ("BurstProbeCrash", {"how": chance.choice(("exit", "kill", "segv")), **inputs})
        case _:
            steps = {"steps": chance.randint(1, 10), "seconds": 0.05, "preview": False}
            node = ("BurstProbeSteps", {**steps, **inputs})
    return {
        "1": _IMAGE,
        "2": {"class_type": node[0], "inputs": node[1]},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "s"}},
    }
