"""`./dev` as a program: what it hands over to, and that handing over needs nothing but a stamp."""

import ast
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.checks.groups import GROUPS

ROOT = Path(__file__).resolve().parents[2]
PRINTS_ARGUMENTS = """#!/bin/sh
pwd
echo "state=$COMFYBURST_STATE"
for word in "$@"; do printf '%s\\n' "$word"; done
"""


def loaded(script: Path) -> SimpleNamespace:
    """Its functions, without leaving a compiled file beside it."""
    return SimpleNamespace(**runpy.run_path(str(script)))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose .venv is up to date and whose Python says what it was asked to do."""
    for name in ("dev", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(PRINTS_ARGUMENTS)
    python.chmod(0o755)
    (tmp_path / ".venv" / ".stamp").write_text(loaded(tmp_path / "dev").stamp())
    return tmp_path


def dev(
    checkout: Path, *words: str, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {n: v for n, v in os.environ.items() if n != "COMFYBURST_STATE"}
    return subprocess.run(  # noqa: S603 - our own script
        [sys.executable, str(checkout / "dev"), *words],
        cwd=cwd or checkout,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def handed_over(checkout: Path, *words: str) -> list[str]:
    done = dev(checkout, *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()[2:]


CLI = ["-P", "-m", "infra.cli.main"]
AT_ONCE = str(max(4, 2 * (os.cpu_count() or 1)))
DEFAULT = [
    "-m",
    "pytest",
    "-m",
    "not comfyui and not clients and not s3server and not chaos and not bench",
]


@pytest.mark.parametrize(
    ("words", "argv"),
    [
        ([], [*CLI, "up"]),
        (["--port", "9000"], [*CLI, "up", "--port", "9000"]),
        (["up", "--port", "9000"], [*CLI, "up", "--port", "9000"]),
        (["run", "a b.json", "-i", "1.x=y z"], [*CLI, "run", "a b.json", "-i", "1.x=y z"]),
        (["doctor"], [*CLI, "doctor"]),
        (["test"], [*DEFAULT, "-q", "-n", AT_ONCE, "--dist", "loadfile"]),
        (["test", "tests/app", "-k", "a b"], [*DEFAULT, "tests/app", "-k", "a b"]),
        (["test", "--all", "-x"], ["-m", "infra.checks.groups", "-x"]),
        (["test", "-x", "--all"], ["-m", "infra.checks.groups", "-x"]),
        (["test", "--comfyui", "-x"], ["-m", "infra.checks.groups", "--comfyui", "-x"]),
        (["check"], ["-m", "infra.checks.main"]),
        (["lock", "--upgrade"], ["-m", "infra.checks.relock", "--upgrade"]),
        (["bench"], ["-m", "pytest", "-m", "bench", "-s"]),
    ],
    ids=" ".join,
)
def test_a_word_is_handed_over(checkout: Path, words: list[str], argv: list[str]) -> None:
    assert handed_over(checkout, *words) == argv


def test_tools_run_in_the_root_and_the_command_where_you_stand(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    checked = dev(checkout, "check", cwd=elsewhere).stdout.splitlines()
    ran = dev(checkout, "run", "x.json", cwd=elsewhere).stdout.splitlines()

    assert checked[0] == str(checkout)
    assert ran[:2] == [str(elsewhere), f"state={checkout}/.comfyburst"]


def test_a_state_of_yours_is_kept(checkout: Path) -> None:
    assert dev(checkout, COMFYBURST_STATE="mine").stdout.splitlines()[1] == "state=mine"


def test_every_group_of_tests_can_be_named(checkout: Path) -> None:
    named = loaded(checkout / "dev").TEST_GROUPS

    assert {*named, "bench"} == {
        group.flag for group in GROUPS
    }  # ./dev bench has a word of its own


def test_help_needs_no_venv_and_leaves_nothing(tmp_path: Path) -> None:
    shutil.copy(ROOT / "dev", tmp_path / "dev")

    done = dev(tmp_path, "--help")

    assert "./dev test --all" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["dev"]


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_a_change_of_dependencies_sets_up_again(checkout: Path, changed: str) -> None:
    module = loaded(checkout / "dev")
    with (checkout / changed).open("a") as file:
        file.write("# changed\n")

    assert not module.is_current(module.stamp())


def test_a_moved_checkout_sets_up_again(checkout: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(checkout, moved, ignore=shutil.ignore_patterns("moved"))
    module = loaded(moved / "dev")

    assert not module.is_current(module.stamp())


def test_uv_is_installed_from_the_lock_alone() -> None:
    lines = loaded(ROOT / "dev").locked("uv").splitlines()

    assert lines[0].startswith("uv==")
    assert len(lines) > 1
    assert all(line.strip().startswith("--hash=sha256:") for line in lines[1:])


def test_an_old_python_can_read_it_far_enough_to_find_a_newer_one() -> None:
    ast.parse((ROOT / "dev").read_text(), feature_version=(3, 8))
