"""What `requirements.lock` must be: whole, hashed, made from this pyproject.toml, and naming no host."""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
LOCK: Final = ROOT / "requirements.lock"
PYPROJECT: Final = ROOT / "pyproject.toml"

_TITLE: Final = "# Written by `./dev lock` from the dependency tables of pyproject.toml."
_DIGEST: Final = "# dependencies-sha256: "
_PINNED: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[^\]]+\])?==\S+( ; .+)?")
_HASH: Final = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def dependency_digest(pyproject: str) -> str:
    """sha256 over what the lock is computed from, so that other edits do not ask for a new lock."""
    tables = tomllib.loads(pyproject)
    project: dict[str, Any] = tables["project"]
    inputs = {
        "requires-python": project.get("requires-python"),
        "dependencies": project.get("dependencies"),
        "optional-dependencies": project.get("optional-dependencies"),
        "dependency-groups": tables.get("dependency-groups"),
        "build-system": tables.get("build-system"),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def header(pyproject: str) -> str:
    """The two first lines of the lock."""
    return f"{_TITLE}\n{_DIGEST}{dependency_digest(pyproject)}\n"


def lock_problems(lock: str, pyproject: str) -> list[str]:
    """What is wrong with a lock, one sentence each; empty when it is good."""
    return [*_digest_problems(lock, pyproject), *_place_problems(lock), *_hash_problems(lock)]


def _digest_problems(lock: str, pyproject: str) -> list[str]:
    found = [line.removeprefix(_DIGEST) for line in lock.splitlines() if line.startswith(_DIGEST)]
    if not found:
        return ["The header with the sha256 of the dependency tables is missing."]
    if found != [dependency_digest(pyproject)]:
        return ["The dependency tables of pyproject.toml have changed since the lock was made."]
    return []


def _place_problems(lock: str) -> Iterator[str]:
    for number, line in enumerate(lock.splitlines(), 1):
        text = line.strip()
        if "://" in text:
            yield f"Line {number} holds a URL."
        elif text.startswith("-") and not text.startswith("--hash="):
            yield f"Line {number} holds an option: {text.split()[0]}."
        elif " @ " in text or text.startswith(("/", "./", "../")):
            yield f"Line {number} names a place instead of a version."


def _hash_problems(lock: str) -> Iterator[str]:
    requirements = _requirements(lock)
    if not requirements:
        yield "There is no requirement in it."
    for requirement, hashes in requirements:
        if not _PINNED.fullmatch(requirement):
            yield f"Not pinned to one version: {requirement[:80]}."
        elif not hashes or not all(_HASH.fullmatch(text) for text in hashes):
            yield f"Without sha256: {requirement[:80]}."


def _requirements(lock: str) -> list[tuple[str, list[str]]]:
    joined = lock.replace("\\\n", " ")
    lines = [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        requirement, *hashes = re.split(r"\s+(?=--hash=)", line.strip())
        found.append((requirement, hashes))
    return found
