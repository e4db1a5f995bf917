"""The user of `COMFY_USER`: who it is, whether it may be used, and that nobody else here uses it."""

import fcntl
import os
import pwd
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gpu_functions.isolation.processes import processes_of

NOBODY: Final = 65534
ADVICE: Final = "useradd --system --no-create-home --shell /usr/sbin/nologin comfy"
_CAPABILITIES: Final = {"CHOWN": 0, "DAC_OVERRIDE": 1, "KILL": 5, "SETGID": 6, "SETUID": 7}
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_RUN: Final = Path("/run")
_TEMPORARY: Final = Path("/var/tmp")  # noqa: S108 - a file of ours that is never followed
_MAX_UID: Final = 2**32 - 2


class IsolationError(Exception):
    """`COMFY_USER` cannot be used, and what to do."""


@dataclass(frozen=True, slots=True)
class ComfyUser:
    """Whom ComfyUI and its nodes run as."""

    name: str
    uid: int
    gid: int

    def __str__(self) -> str:
        return self.name if self.name == str(self.uid) else f"{self.name} (uid {self.uid})"


def comfy_user(text: str) -> ComfyUser:
    """Look up a name or a number, and whether we may become it.

    Raises:
        IsolationError: unknown, one that others use, or we lack the rights.
    """
    if sys.platform != "linux":
        raise IsolationError("COMFY_USER works on Linux only.")
    user = _look_up(text)
    if user.uid == 0 or user.gid == 0:
        raise IsolationError(
            f"COMFY_USER={text}: root, or a member of its group, can read everything. {_make_one()}"
        )
    if user.uid == os.geteuid():
        raise IsolationError(
            f"COMFY_USER={text} is the user that the worker itself runs as, which separates nothing. "
            f"{_make_one()} Then start as root."
        )
    if user.uid == NOBODY or user.name == "nobody":
        raise IsolationError(
            f"COMFY_USER={text}: others run as nobody, the embedded Postgres for one, and all "
            f"processes of the user are killed between two workspaces. {_make_one()}"
        )
    missing = _missing_capabilities()
    if missing:
        names = ", ".join(f"CAP_{name}" for name in missing)
        raise IsolationError(
            f"COMFY_USER={text} needs the right to become that user, and this process lacks {names}. "
            "Start as root (sudo), or unset COMFY_USER."
        )
    return user


def _look_up(text: str) -> ComfyUser:
    number = int(text) if text.isascii() and text.isdigit() else None
    if number is not None and number > _MAX_UID:
        raise IsolationError(f"COMFY_USER={text} is no uid: the largest is {_MAX_UID}.")
    try:
        known = pwd.getpwnam(text) if number is None else pwd.getpwuid(number)
    except KeyError:
        if number is None:
            raise IsolationError(
                f"COMFY_USER={text}: there is no such user. {_make_one()}"
            ) from None
        return ComfyUser(text, number, number)
    return ComfyUser(known.pw_name, known.pw_uid, known.pw_gid)


def _make_one() -> str:
    return f"Make one of its own: {ADVICE}, and set COMFY_USER=comfy."


def _missing_capabilities() -> list[str]:
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    held = int(text.partition("CapEff:")[2].split()[0], 16)
    return [name for name, bit in _CAPABILITIES.items() if not held >> bit & 1]


@dataclass(frozen=True, slots=True)
class Claim:
    """Ours alone among the workers of this machine, as long as the descriptor is open."""

    descriptor: int

    def release(self) -> None:
        """Let another worker have the user."""
        os.close(self.descriptor)


def claim(user: ComfyUser) -> Claim:
    """Make sure that killing every process of the user ends nothing but ours.

    Raises:
        IsolationError: another worker uses it, or somebody else's program runs as it.
    """
    folder = _RUN if os.access(_RUN, os.W_OK) else _TEMPORARY
    path = folder / f"comfyburst-user-{user.uid}"
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise IsolationError(f"{path} cannot be used: {error.strerror}. Remove it.") from error
    try:
        _claim(user, descriptor, path)
    except BaseException:
        os.close(descriptor)
        raise
    return Claim(descriptor)


def _claim(user: ComfyUser, descriptor: int, path: Path) -> None:
    if os.fstat(descriptor).st_uid != os.geteuid():
        raise IsolationError(f"{path} belongs to another user. Remove it.")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise IsolationError(
            f"Another worker of this machine runs ComfyUI as {user}. Each worker needs a "
            f"COMFY_USER of its own."
        ) from None
    # What runs as a user that was ours since this machine started is ours: a node's daemon that
    # outlived a killed worker.
    boot_id = _BOOT_ID.read_bytes()
    if os.pread(descriptor, 100, 0) != boot_id:
        strangers = processes_of(user.uid)
        if strangers:
            raise IsolationError(
                f"COMFY_USER={user.name}: processes of that user run already "
                f"({', '.join(map(_describe, strangers[:3]))}), and all of them would be killed "
                f"between two workspaces. {_make_one()}"
            )
        os.pwrite(descriptor, boot_id, 0)


def _describe(pid: int) -> str:
    try:
        name = Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return str(pid)
    return f"{name}, pid {pid}"
