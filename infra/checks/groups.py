"""`./dev test --all`, or `--comfyui`, `--chaos`, ...: groups of tests, each announced, timed and counted.

The last line sums up. `./dev` itself knows the names too: it must run where nothing is installed.
"""

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.checks.lock_file import ROOT
from infra.pinned import InstallError

COMFYUI_FOLDER: Final = ROOT / ".comfyburst" / "comfyui-test"
CLIENTS_FOLDER: Final = ROOT / ".comfyburst" / "clients-test"
S3_SERVER_FOLDER: Final = ROOT / ".comfyburst" / "s3server-test"
_NO_TESTS: Final = 5
_AT_ONCE: Final = str(max(4, 2 * (os.cpu_count() or 1)))
"""Two for each core: half of what tests do is wait for servers."""

Environment = Mapping[str, str]


class CannotPrepareError(Exception):
    """What a group needs cannot be had here."""


def nothing() -> Environment:
    """Most groups bring all that they need."""
    return {}


def real_comfyui() -> Environment:
    """Install a real ComfyUI beside us, once."""
    from infra.comfyui.install import install

    try:
        install(COMFYUI_FOLDER, say)
    except (InstallError, OSError) as error:
        raise CannotPrepareError(f"ComfyUI cannot be installed: {error}") from error
    return {"COMFYBURST_TEST_COMFYUI": str(COMFYUI_FOLDER)}


def official_clients() -> Environment:
    """Install the TypeScript SDK and comfy-cli beside us, once."""
    from infra.clients.install import install

    try:
        install(CLIENTS_FOLDER, say)
    except (InstallError, OSError) as error:
        raise CannotPrepareError(f"The official clients cannot be installed: {error}") from error
    return {"COMFYBURST_TEST_CLIENTS": str(CLIENTS_FOLDER)}


def s3_server() -> Environment:
    """Install Swift beside us, once."""
    from infra.s3server.install import install

    try:
        python = install(S3_SERVER_FOLDER, say)
    except (InstallError, OSError) as error:
        raise CannotPrepareError(f"The S3 server cannot be installed: {error}") from error
    return {"COMFYBURST_TEST_S3SERVER": str(python)}


@dataclass(frozen=True, slots=True)
class Group:
    """Tests that are run together, chosen by their markers."""

    flag: str
    """What `./dev test` calls it, without dashes."""
    name: str
    markers: str
    prepare: Callable[[], Environment] = nothing
    on_all_cores: bool = False
    coverage: bool = False
    """Measured, and held to `fail_under` of pyproject.toml."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How tests went; an error counts as a failure."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one group went."""

    group: Group
    counts: Counts
    minutes: float
    reason: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing failed."""
        return not self.counts.failed


GROUPS: Final = (
    Group(
        "unit",
        "unit and integration",
        "not stack and not chaos and not comfyui and not clients and not s3server and not bench",
        on_all_cores=True,
        coverage=True,
    ),
    Group(
        "stack",
        "stack",
        "stack and not chaos and not comfyui and not clients and not s3server and not bench",
        on_all_cores=True,
    ),
    Group("chaos", "chaos", "chaos and not comfyui and not clients and not s3server and not bench"),
    Group(
        "comfyui",
        "real ComfyUI",
        "comfyui and not clients and not s3server and not bench",
        real_comfyui,
    ),
    Group(
        "clients",
        "official clients",
        "clients and not s3server and not bench",
        official_clients,
        on_all_cores=True,
    ),
    Group("s3server", "S3 server", "s3server and not bench", s3_server),
    Group("bench", "bench", "bench"),
)
NOT_YET: Final = {
    "Modal": "bursting to Modal has an issue of its own",
    "Supabase": "Supabase has an issue of its own",
    "e2e": "the web app has an issue of its own",
}


def main(arguments: Sequence[str]) -> int:
    """Run every group, or those that are named, whatever became of the one before.

    What names no group goes to each pytest.
    """
    groups, for_pytest = choose(arguments)
    outcomes = [_run(group, for_pytest) for group in groups]
    say("\n=== groups")
    for outcome in outcomes:
        word = "ok" if outcome.is_good else "FAILED"
        line = f"{outcome.group.name:22} {word:7} {outcome.minutes:5.1f} min   {outcome.counts}"
        say(f"{line}   {outcome.reason}".rstrip())
    for name, reason in NOT_YET.items() if len(groups) == len(GROUPS) else ():
        say(f"{name:22} skipped            {reason}")
    say(str(sum((outcome.counts for outcome in outcomes), Counts())))
    return 0 if all(outcome.is_good for outcome in outcomes) else 1


def choose(arguments: Sequence[str]) -> tuple[list[Group], list[str]]:
    """The groups that are named, all where none is; and the other arguments."""
    named = [group for group in GROUPS if f"--{group.flag}" in arguments]
    flags = {f"--{group.flag}" for group in GROUPS}
    return named or list(GROUPS), [word for word in arguments if word not in flags]


def read_counts(junit: str) -> Counts:
    """The sums of a JUnit report of pytest."""
    total = Counts()
    for suite in ET.fromstring(junit).iter("testsuite"):  # noqa: S314 - pytest's own report
        numbers = {
            name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")
        }
        failed = numbers["failures"] + numbers["errors"]
        passed = max(numbers["tests"] - failed - numbers["skipped"], 0)
        total += Counts(passed, failed, numbers["skipped"])
    return total


def judge(code: int, counts: Counts) -> tuple[Counts, str]:
    """A pytest that ended badly without a failed test is a failure too, and why."""
    if code == _NO_TESTS:
        return counts + Counts(failed=1), "no tests were found"
    if code and not counts.failed:
        return counts + Counts(failed=1), f"pytest ended with {code}"
    return counts, ""


def _run(group: Group, arguments: Sequence[str]) -> Outcome:
    say(f"\n=== {group.name}")
    started = time.monotonic()
    try:
        counts, reason = _pytest(group, arguments, group.prepare())
    except CannotPrepareError as error:
        counts, reason = Counts(failed=1), str(error)
        say(reason)
    return Outcome(group, counts, (time.monotonic() - started) / 60, reason)


def _pytest(group: Group, arguments: Sequence[str], extra: Environment) -> tuple[Counts, str]:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-m", group.markers, f"--junitxml={report}"]
        if group.coverage:
            command += ["--cov", "--cov-report="]
        if group.on_all_cores:
            command += ["-q", "-n", _AT_ONCE, "--dist", "loadfile"]
        done = subprocess.run(  # noqa: S603 - our own pytest
            [*command, *arguments], cwd=ROOT, env={**os.environ, **extra}, check=False
        )
        counts = read_counts(report.read_text()) if report.exists() else Counts()
    return judge(done.returncode, counts)


def say(line: str) -> None:
    """At once, between the lines of the programs that we start."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
