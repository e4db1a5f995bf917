"""What every install of pinned tools into a place of its own does: one step after another, by hashes."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

OURS: Final = ".made-by-comfyburst"
"""A file in a folder that an install made: only such a folder is ever deleted."""
_SHOWN_LINES: Final = 12


class InstallError(Exception):
    """A step failed; the message says which one and ends with what the tool said."""


def pins_of(files: Iterable[Path]) -> str:
    """What an install is made from; an interpreter of another version makes another one."""
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def make_venv(folder: Path, lock: Path) -> Path:
    """A virtual environment with exactly what the hashed lock names; returns its Python.

    Raises:
        InstallError: a step failed.
    """
    run("make a virtual environment", sys.executable, "-m", "venv", str(folder))
    python = folder / "bin" / "python"
    pip = (str(python), "-m", "pip", "install", "--no-input", "--quiet")
    run(f"install {lock.name}", *pip, "--require-hashes", "-r", str(lock))
    return python


def run(
    step: str,
    *command: str,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """What the command said.

    Args:
        step: what it is for, as in "Could not {step}"
        command: and its arguments
        folder: to run it in
        environment: beside ours

    Raises:
        InstallError: it cannot be started or ended badly.
    """
    try:
        done = subprocess.run(  # noqa: S603 - commands of our installers
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise InstallError(f"Could not {step}: {error}") from error
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_SHOWN_LINES:])
        raise InstallError(f"Could not {step} (exit code {done.returncode}):\n{said}")
    return done.stdout + done.stderr
