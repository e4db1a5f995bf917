"""The lock: an environment in one order, its digest, and the hashes that a first sync recorded.

The digest covers what decides what a job computes with: commits, packages, models, the image. It
does not cover names and remarks for people, nor what a sync recorded later, so it is known before
anything was fetched and stays while models arrive. `model_hashes` is the other half of what a result
depends on (facts/security.md §3.8, issue 6: result cache).
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Final, Literal, cast

from pydantic import BaseModel, ConfigDict

from comfy_images.manifest.fields import Sha256
from comfy_images.manifest.models import Manifest, ModelFile

FORMAT: Final = 1
MAX_BYTES: Final = 4 << 20
"""Of a lock file: the manifest and a hash for each model."""

_FOR_PEOPLE: Final[dict[str, Any]] = {
    "name": True,
    "description": True,
    "comfyui": {"version"},
    "models": {"__all__": {"source", "license"}},
}
HashOrigin = Literal["stated", "recorded"]


class LockError(Exception):
    """A lock file that cannot be used; the message says why and what to do."""

    code: ClassVar = "invalid_lock"


class Recorded(BaseModel):
    """What the first sync of a model got whose source states no hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    size_bytes: int
    sha256: Sha256


class Lock(BaseModel):
    """An environment that nothing moves under."""

    model_config = ConfigDict(frozen=True)

    environment: Manifest
    """In one order, whatever order the TOML has."""
    recorded: Mapping[str, Recorded] = {}
    """By the path of the model below models."""

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON, 64 digits: equal digests are installed alike."""
        content = self.environment.model_dump(mode="json", exclude=_FOR_PEOPLE)
        return hashlib.sha256(canonical(content).encode()).hexdigest()

    def hash_of(self, model: ModelFile) -> tuple[str, HashOrigin] | None:
        """A model's SHA-256 and who says it: its source, or the first sync. None before that."""
        if model.sha256 is not None:
            return model.sha256, "stated"
        known = self.recorded.get(model.path)
        return (known.sha256, "recorded") if known else None

    def model_hashes(self) -> dict[str, str | None]:
        """SHA-256 by path below models; None for one that nobody has fetched or stated."""
        known = {model.path: self.hash_of(model) for model in self.environment.models}
        return {path: found[0] if found else None for path, found in known.items()}

    def with_recorded(self, model: ModelFile, sha256: str) -> "Lock":
        """The same, once a sync has seen that model."""
        seen = Recorded(url=model.url, size_bytes=model.size_bytes, sha256=sha256)
        return self.model_copy(update={"recorded": {**self.recorded, model.path: seen}})


def canonical(value: Any) -> str:
    """JSON that is the same text for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def lock(manifest: Manifest, previous: Lock | None = None) -> Lock:
    """Lock an environment.

    Args:
        manifest: as read
        previous: an older lock of it: what it recorded of models that are still the same is kept
    """
    python = manifest.python.model_copy(
        update={
            "requirements": tuple(sorted(set(manifest.python.requirements))),
            "constraints": tuple(sorted(set(manifest.python.constraints))),
        }
    )
    image = manifest.image.model_copy(
        update={"system_packages": tuple(sorted(set(manifest.image.system_packages)))}
    )
    ordered = manifest.model_copy(
        update={
            "python": python,
            "image": image,
            "custom_nodes": tuple(sorted(manifest.custom_nodes, key=lambda pack: pack.name)),
            "models": tuple(sorted(manifest.models, key=lambda model: model.path)),
        }
    )
    return Lock(environment=ordered, recorded=_still_true(ordered, previous))


def write_lock(locked: Lock) -> str:
    """The lock file: the same text for the same lock."""
    content = {
        "lock": FORMAT,
        "digest": locked.digest,
        "environment": locked.environment.model_dump(mode="json"),
        "recorded": {path: seen.model_dump() for path, seen in locked.recorded.items()},
    }
    return json.dumps(content, indent=1, sort_keys=True) + "\n"


def read_lock(text: bytes) -> Lock:
    """What `write_lock` wrote.

    Raises:
        LockError: it is none, of another format, or was edited by hand.
    """
    if len(text) > MAX_BYTES:
        raise LockError(f"The lock has {len(text)} bytes; at most {MAX_BYTES} are read.")
    try:
        values: Any = json.loads(text)
        content = cast("dict[str, Any]", values)
        if content["lock"] != FORMAT:
            raise LockError(f"The lock is of format {content['lock']!r}; this reads {FORMAT}.")
        locked = Lock(environment=content["environment"], recorded=content["recorded"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise LockError("This is no lock of an environment. Write a new one.") from error
    if locked.digest != content.get("digest"):
        raise LockError("The lock is not as it was written. Change the TOML and write a new one.")
    return locked


def _still_true(manifest: Manifest, previous: Lock | None) -> dict[str, Recorded]:
    if previous is None:
        return {}
    kept = {model.path: model for model in manifest.models if model.sha256 is None}
    return {
        path: seen
        for path, seen in previous.recorded.items()
        if path in kept and (kept[path].url, kept[path].size_bytes) == (seen.url, seen.size_bytes)
    }
