"""Which models of an environment are to be fetched, checked or left, and what a hash means. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, assert_never

from comfy_images.manifest import Lock, ModelFile

Origin = Literal["stated", "recorded", "first"]
"""Who says that a hash is right: the source, an earlier sync, or nobody yet."""


@dataclass(frozen=True, slots=True)
class Found:
    """A file that lies where a model belongs."""

    size_bytes: int
    sha256: str | None
    """As it was computed of this very file; None where that was never done."""


@dataclass(frozen=True, slots=True)
class Keep:
    """It is there, and its hash is right."""

    model: ModelFile


@dataclass(frozen=True, slots=True)
class Check:
    """A file of its size is there that was never hashed."""

    model: ModelFile


@dataclass(frozen=True, slots=True)
class Fetch:
    """It is not there, or not all of it."""

    model: ModelFile


@dataclass(frozen=True, slots=True)
class Blocked:
    """Something else lies in its place. It is not ours to delete."""

    model: ModelFile
    reason: str


Action = Keep | Check | Fetch | Blocked


class HashMismatchError(Exception):
    """A file is not what its environment says; the message says who says otherwise."""

    code: ClassVar = "model_hash_mismatch"


def plan_sync(lock: Lock, found: Mapping[str, Found]) -> tuple[Action, ...]:
    """What a sync has to do, in the lock's order.

    Args:
        lock: with the models
        found: files by their path below the models folder
    """
    return tuple(_action(lock, model, found.get(model.path)) for model in lock.environment.models)


def bytes_to_fetch(plan: Iterable[Action], partial: Mapping[str, int]) -> int:
    """The room that a plan needs; `partial` says by path how much of a model is there already."""
    total = 0
    for action in plan:
        match action:
            case Fetch(model):
                total += max(0, model.size_bytes - partial.get(model.path, 0))
            case Keep() | Check() | Blocked():
                pass
            case _:
                assert_never(action)
    return total


def judge(lock: Lock, model: ModelFile, sha256: str) -> Origin:
    """Hold the hash of a whole file against what is known of its model.

    Raises:
        HashMismatchError: somebody says another one.
    """
    known = lock.hash_of(model)
    if known is None:
        return "first"
    expected, origin = known
    if sha256 == expected:
        return origin
    match origin:
        case "stated":
            who = "the environment states"
        case "recorded":
            who = "the first sync, whose hash is in the lock, got"
        case _:
            assert_never(origin)
    raise HashMismatchError(
        f"{model.path} has the SHA-256 {sha256}, and {who} {expected}. The file was damaged, or its "
        "source serves another one now."
    )


def _action(lock: Lock, model: ModelFile, found: Found | None) -> Action:
    if found is None:
        return Fetch(model)
    if found.size_bytes != model.size_bytes:
        return Blocked(
            model,
            f"a file of {found.size_bytes:,} bytes lies there, and the model has "
            f"{model.size_bytes:,}. Move it away, or correct size_bytes",
        )
    known = lock.hash_of(model)
    if found.sha256 is None or known is None:
        return Check(model)
    if found.sha256 != known[0]:
        return Blocked(
            model,
            f"a file with the SHA-256 {found.sha256} lies there, and the model has {known[0]}. "
            "Move it away",
        )
    return Keep(model)
