"""What the lock checker takes and refuses."""

from pathlib import Path

import pytest

from infra.checks.file_length import MAX_LINES, long_files
from infra.checks.lock_file import LOCK, PYPROJECT, dependency_digest, header, lock_problems

PROJECT = """
[project]
name = "x"
requires-python = ">=3.11"
dependencies = ["httpx>=0.28"]
[build-system]
requires = ["hatchling"]
"""
HASH = "--hash=sha256:" + "0f" * 32


def lock_of(*requirements: str) -> str:
    return header(PROJECT) + "\n".join(requirements) + "\n"


GOOD = f"httpx==0.28.1 ; python_version < '3.14' \\\n    {HASH} \\\n    {HASH}"


def test_a_hashed_lock_of_this_project_is_good() -> None:
    assert lock_problems(lock_of(GOOD), PROJECT) == []


def test_the_lock_of_this_repository_is_good() -> None:
    assert lock_problems(LOCK.read_text(), PYPROJECT.read_text()) == []


def test_a_changed_dependency_asks_for_a_new_lock() -> None:
    changed = PROJECT.replace("0.28", "0.29")

    [problem] = lock_problems(lock_of(GOOD), changed)

    assert "have changed since" in problem


def test_other_edits_of_pyproject_do_not_ask_for_a_new_lock() -> None:
    edited = PROJECT + "[tool.ruff]\nline-length = 100\n"

    assert dependency_digest(edited) == dependency_digest(PROJECT)


def test_a_lock_without_header_is_refused() -> None:
    [problem] = lock_problems(f"{GOOD}\n", PROJECT)

    assert "header" in problem


@pytest.mark.parametrize(
    ("requirement", "problem"),
    [
        ("httpx==0.28.1", "Without sha256: httpx==0.28.1."),
        (f"httpx==0.28.1 \\\n    {HASH[:-1]}", "Without sha256: httpx==0.28.1."),
        (f"httpx==0.28.1 \\\n    --hash=md5:{'0f' * 16}", "Without sha256: httpx==0.28.1."),
        (f"httpx>=0.28 \\\n    {HASH}", "Not pinned to one version: httpx>=0.28."),
        ("--find-links folder", "Line 3 holds an option: --find-links."),
        ("-e .", "Line 3 holds an option: -e."),
        ("# from https://example.invalid/simple", "Line 3 holds a URL."),
        (f"httpx @ file:///x/httpx.whl \\\n    {HASH}", "Line 3 holds a URL."),
        ("./httpx.whl", "Line 3 names a place instead of a version."),
    ],
)
def test_what_is_not_pinned_hashed_and_placeless_is_refused(requirement: str, problem: str) -> None:
    assert problem in lock_problems(lock_of(GOOD, requirement).replace(f"{GOOD}\n", ""), PROJECT)


def test_an_empty_lock_is_refused() -> None:
    assert lock_problems(header(PROJECT), PROJECT) == ["There is no requirement in it."]


def test_a_file_too_long_is_named_with_its_length(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("x\n" * MAX_LINES)
    (tmp_path / "long.py").write_text("x\n" * (MAX_LINES + 1))
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "theirs.py").write_text("x\n" * 1_000)

    assert list(long_files(tmp_path)) == [
        f"long.py has {MAX_LINES + 1} lines; {MAX_LINES} is the most."
    ]
