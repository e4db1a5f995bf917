"""Runs a long command so that a person can follow it: what is fetched, how large, and that it lives."""

import queue
import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from infra.pinned import InstallError

STILL_S: Final = 30.0
"""After so many silent seconds it says that it is still at it."""
_SHOWN_LINES: Final = 12

_FETCHED: Final = re.compile(
    r"(?:Downloading|Using cached) (?:\S*/)?([^-\s/]+)-([^-\s/]+?)(?:-\S*)?"
    r"\.(?:whl|tar\.gz|zip) \(([\d.]+) (MB|GB)\)"
)
_LOCAL: Final = re.compile(r"Processing (\S*/([^-\s/]+)-([^-\s/]+)-\S*\.whl)")
_LARGE_MB: Final = 5.0
_TOLD: Final = re.compile(r"(Cloning into .+|Successfully checked out .+|Using Python: .+)")
_NO_ROOM: Final = ("No space left on device", "Disk quota exceeded")
_NO_NETWORK: Final = (
    "Temporary failure in name resolution",
    "Name or service not known",
    "nodename nor servname",
    "Could not resolve host",
    "Failed to establish a new connection",
    "Connection refused",
    "Network is unreachable",
    "timed out",
    "No matching distribution found",
)

Report = Callable[[str], None]


class ComfyUIInstallError(InstallError):
    """A step failed; the message says which one, what the tool said, and what to do."""


def follow(
    step: str,
    command: Sequence[str],
    report: Report,
    *,
    environment: Mapping[str, str] | None = None,
    still_s: float = STILL_S,
) -> str:
    """Run a command to its end; returns all that it said.

    Args:
        step: what it is for, as in "Could not {step}"
        command: and its arguments
        report: is told what the command fetches
        environment: in place of ours
        still_s: seconds of silence after which it is said to live

    Raises:
        ComfyUIInstallError: it cannot be started or ended badly.
    """
    try:
        process = subprocess.Popen(  # noqa: S603 - commands of this package
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise ComfyUIInstallError(f"Could not {step}: {error}") from error
    with process:
        said = _tell(process.stdout, report, still_s)
    if process.returncode:
        last = "\n".join(f"  {line}" for line in said[-_SHOWN_LINES:])
        reason = f"Could not {step} (exit code {process.returncode}):\n{last}"
        raise ComfyUIInstallError("\n".join(filter(None, (reason, remedy("\n".join(said))))))
    return "\n".join(said)


def remedy(said: str) -> str:
    """What to do about what a tool said, where we know."""
    if any(words in said for words in _NO_ROOM):
        return (
            "The disk is full. Make room, or choose another place with --into; then run this again."
        )
    if any(words in said for words in _NO_NETWORK):
        return (
            "Is there a network? Behind a proxy set HTTPS_PROXY, with a package index of your own "
            "PIP_INDEX_URL. Then run this again: what was fetched is kept."
        )
    return ""


def told_of(line: str) -> str | None:
    """What of a tool's line a person wants to see: the large files, and where it stands."""
    if found := _FETCHED.search(line):
        is_large = found[4] == "GB" or float(found[3]) >= _LARGE_MB
        return f"{found[1]} {found[2]} ({found[3]} {found[4]})" if is_large else None
    if found := _LOCAL.search(line):
        size_mb = _size_mb(Path(found[1]))
        return f"{found[2]} {found[3]} ({size_mb:.1f} MB)" if size_mb >= _LARGE_MB else None
    if line.startswith("Installing collected packages"):
        return "all is here; unpacking"
    found = _TOLD.search(line)
    return found[1] if found else None


def _size_mb(path: Path) -> float:
    try:
        return path.stat().st_size / 1e6
    except OSError:
        return 0.0


def _tell(stream: IO[str] | None, report: Report, still_s: float) -> list[str]:
    assert stream is not None
    lines: queue.Queue[str | None] = queue.Queue()
    threading.Thread(target=_read, args=(stream, lines), daemon=True).start()
    said: list[str] = []
    started = time.monotonic()
    while True:
        try:
            line = lines.get(timeout=still_s)
        except queue.Empty:
            report(f"  still at it ({time.monotonic() - started:.0f} s)")
            continue
        if line is None:
            return said
        said.append(line)
        if told := told_of(line):
            report(f"  {told}")


def _read(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in stream:
        if line.strip():
            lines.put(line.rstrip())
    lines.put(None)
