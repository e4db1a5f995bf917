"""`./dev check`: every rule a machine can hold, one line each; what failed says what to run."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.checks.file_length import long_files
from infra.checks.lock_file import LOCK, PYPROJECT, ROOT, lock_problems

_BIN: Final = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Check:
    """One rule. `find` returns what is wrong, empty when nothing is."""

    name: str
    find: Callable[[], str]
    remedy: str


@dataclass(frozen=True, slots=True)
class Result:
    """How a check went."""

    check: Check
    problems: str
    seconds: float


def tool(*words: str) -> Callable[[], str]:
    """A check by an installed program: what it says when it fails."""

    def find() -> str:
        done = subprocess.run(  # noqa: S603 - programs of our own venv
            [str(_BIN / words[0]), *words[1:]],
            cwd=ROOT,
            env={**os.environ, "NO_COLOR": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return (done.stdout or f"it ended with {done.returncode}") if done.returncode else ""

    return find


def _lock() -> str:
    if not LOCK.exists():
        return "There is no requirements.lock."
    return "\n".join(lock_problems(LOCK.read_text(), PYPROJECT.read_text()))


def _file_length() -> str:
    return "\n".join(long_files(ROOT))


def _openapi() -> str:
    from infra.openapi import drift  # the front door with all it needs: a second

    return drift()


def _env_example() -> str:
    from infra.env_example import drift

    return drift()


CHECKS: Final = (
    Check("format", tool("ruff", "format", "--check", ".", "dev"), "ruff format . dev"),
    Check("lint", tool("ruff", "check", ".", "dev"), "ruff check --fix . dev"),
    Check("types", tool("basedpyright"), "basedpyright"),
    Check(
        "imports",
        tool("lint-imports", "--no-logo"),
        "lint-imports (the rules are in pyproject.toml)",
    ),
    Check("lock", _lock, "./dev lock"),
    Check("openapi", _openapi, "python -m infra.openapi"),
    Check("env example", _env_example, "python -m infra.env_example"),
    Check("file length", _file_length, "split the file by the questions it answers"),
)


def main() -> int:
    """Run them all, two at a time, told in order."""
    failed: list[Result] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        # The longest first, so that the others run beside it.
        by_length = sorted(CHECKS, key=lambda check: check.name != "types")
        results = {check.name: pool.submit(_timed, check) for check in by_length}
        for check in CHECKS:
            result = results[check.name].result()
            word = "FAILED" if result.problems else "ok"
            print(f"{check.name:12} {word:6} {result.seconds:5.1f} s", flush=True)
            if result.problems:
                failed.append(result)
    for result in failed:
        print(f"\n--- {result.check.name}\n{result.problems.rstrip()}")
        print(f"--- to mend it: {result.check.remedy}")
    return 1 if failed else 0


def _timed(check: Check) -> Result:
    started = time.monotonic()
    problems = check.find()
    return Result(check, problems, time.monotonic() - started)


if __name__ == "__main__":
    sys.exit(main())
