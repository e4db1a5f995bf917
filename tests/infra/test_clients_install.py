"""The installer of the official clients, without a network: what it leaves alone and what it says."""

from pathlib import Path

import pytest

from infra.clients.install import install
from infra.pinned import InstallError


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "node" / "work.txt"
    theirs.parent.mkdir()
    theirs.write_text("years of it")

    with pytest.raises(InstallError, match="not of our making"):
        install(tmp_path, lambda _: None)

    assert theirs.read_text() == "years of it"


def test_a_target_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(InstallError, match="cannot be written"):
        install(tmp_path / "file", lambda _: None)


def test_a_step_that_fails_is_told_with_what_the_tool_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, body in (("node", "echo v22.1.0"), ("npm", "echo no network >&2; exit 7")):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")

    with pytest.raises(InstallError, match=r"npm ci \(exit code 7\):\nno network"):
        install(tmp_path / "target", lambda _: None)
