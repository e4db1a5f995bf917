"""How a process of `COMFY_USER` is started, and how nothing of it is left."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from gpu_functions.isolation.processes import processes_of
from gpu_functions.isolation.user import ComfyUser, IsolationError

log = logging.getLogger(__name__)

_HERE: Final = Path(__file__).parent
_TETHER: Final = _HERE.parent / "comfyui" / "tether.py"
_BARE: Final = (sys.executable, "-I", "-S")
_SHARED_PLACES: Final = ("/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run/lock")  # noqa: S108
_SWEEPS: Final = 20
_ENDING_S: Final = 5.0
_DELETING_S: Final = 120.0
_SURVEY_S: Final = 120.0
_SHOWN: Final = 4
_REACH: Final = (
    "What it runs must be readable by it and writable by others only: chmod -R go-w, or move it out "
    "of a home folder (docs/isolation.md)."
)


@dataclass(frozen=True, slots=True)
class Confinement:
    """A user, the folder that it works in, and what else of this machine it needs to see."""

    user: ComfyUser
    state: Path
    needed: tuple[Path, ...]
    private: bool = True
    """Give it a view of the file system of its own (`view.py`), where the kernel lets us."""

    def told(self) -> str:
        """For `tether.py`."""
        return json.dumps(
            {
                "uid": self.user.uid,
                "gid": self.user.gid,
                "state": str(self.state),
                "needed": [str(path) for path in self.needed],
                "private": self.private,
            }
        )


def tied(confinement: Confinement | None) -> list[str]:
    """What stands before a command so that it dies with us, and runs as the other user."""
    told = "-" if confinement is None else confinement.told()
    return [*_BARE, str(_TETHER), str(os.getpid()), told]


def sweep(user: ComfyUser, emptied: Sequence[Path], *, everywhere: bool) -> None:
    """End every process of the user and delete what it left.

    Args:
        user: whose
        emptied: folders of its own
        everywhere: also search where everybody may write, as without a view of its own it could

    Raises:
        IsolationError: something is left.
    """
    told = json.dumps(
        {
            "uid": user.uid,
            "gid": user.gid,
            "patience_s": _ENDING_S,
            "emptied": [str(folder) for folder in emptied],
            "searched": _SHARED_PLACES if everywhere else [],
        }
    )
    said = ""
    for _ in range(_SWEEPS):
        # From here too: what loops in kill(-1) may end the sweep, which is of the same user.
        for pid in processes_of(user.uid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        done = _run([*_BARE, str(_HERE / "sweep.py"), told], _DELETING_S)
        if done.returncode == 0 and not processes_of(user.uid):
            return
        said = done.stderr.strip()[-500:]
    raise IsolationError(f"What {user} left does not go away: {said or 'its processes go on'}")


def survey(
    confinement: Confinement, interpreter: Path, read: Sequence[Path], closed: Sequence[Path]
) -> Confinement:
    """Ask as the user whether ComfyUI can start, and that it can change nothing others run.

    Args:
        confinement: how it will be started
        interpreter: ComfyUI's own
        read: what must be readable
        closed: files and trees that must not be writable

    Returns:
        the same, without the private view where the kernel does not let us have one.

    Raises:
        IsolationError: it could not start, or could change something; with what to do.
    """
    told = json.dumps(
        {
            "read": [str(path) for path in read],
            "write": [str(confinement.state / name) for name in ("input", "output", "tmp")],
            "closed": [str(path) for path in closed],
        }
    )
    command = [str(interpreter), "-I", "-S", str(_HERE / "survey.py"), told]
    done = _run([*tied(confinement), *command], _SURVEY_S)
    if done.returncode != 0 and confinement.private:
        log.warning("no private view for ComfyUI", extra={"untrusted": done.stderr[-500:]})
        confinement = replace(confinement, private=False)
        done = _run([*tied(confinement), *command], _SURVEY_S)
    if done.returncode != 0:
        reason = done.stderr.strip()[-500:] or f"exit code {done.returncode}"
        raise IsolationError(
            f"{confinement.user} cannot start ComfyUI's Python: {reason}. {_REACH}"
        )
    found = json.loads(done.stdout)
    if found["problems"]:
        problems = "; ".join(found["problems"][:_SHOWN])
        raise IsolationError(f"{confinement.user} is not confined: {problems}. {_REACH}")
    return replace(confinement, private=found["private"])


def _run(command: Sequence[str], timeout_s: float) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(  # noqa: S603 - our own scripts
            command,
            env={},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired as error:
        raise IsolationError(
            f"{Path(command[-2]).name} took longer than {timeout_s:g} s"
        ) from error
