"""Where things of a state folder may lie: private folders, short socket paths, folders nobody can enter."""

import contextlib
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MAX_SOCKET_FOLDER: Final = 85
"""sun_path holds 104 bytes on macOS and 108 on Linux; a socket's name takes up to 20 of them."""


class PlaceError(Exception):
    """A folder cannot be used, and why."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Who runs a server that refuses to run as us."""

    uid: int
    gid: int


def private_folder(path: Path, owner: Owner | None = None) -> Path:
    """Make a folder that only we can enter, whatever the umask; or give it to `owner`.

    Raises:
        PlaceError: it is a link, another user's, or cannot be made.
    """
    return _folder_of_ours(path, 0o700, owner)


def enterable_folder(path: Path) -> Path:
    """Make a folder of ours that everybody may pass through and nobody may list, whatever the umask.

    Raises:
        PlaceError: it is a link, another user's, or cannot be made.
    """
    return _folder_of_ours(path, 0o711, None)


def _folder_of_ours(path: Path, mode: int, owner: Owner | None) -> Path:
    ours = {os.geteuid(), owner.uid if owner else os.geteuid()}
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
        # One descriptor for all: in /tmp the name may be another folder a moment later.
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if os.fstat(folder).st_uid not in ours:
                raise PlaceError(f"{path} belongs to another user; remove it or choose --state DIR")
            os.fchmod(folder, mode)
            if owner is not None:
                os.fchown(folder, owner.uid, owner.gid)
        finally:
            os.close(folder)
    except OSError as error:
        reason = "it is a link" if path.is_symlink() else error.strerror
        raise PlaceError(f"{path} cannot be used: {reason}") from error
    return path


def place_for_another_user(path: Path) -> Path:
    """Where a folder lies that another user must reach, in the place of `path`.

    A state folder is closed to everybody, and so is what it often lies in: a home folder. /var/tmp can
    be entered by all, and a folder of ours in it is neither listed, changed nor replaced by others.
    """
    return Path("/var/tmp") / _short_name(path)  # noqa: S108 - see enterable_folder


def _short_name(path: Path) -> str:
    """A name for what belongs to a folder, where the folder's own path cannot be used."""
    return f"comfyburst-{os.geteuid()}-{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"


def socket_folder(path: Path) -> Path:
    """The folder itself, or a private one with a short path where a socket would not fit."""
    if len(str(path)) <= MAX_SOCKET_FOLDER:
        return path
    return Path(tempfile.gettempdir()) / _short_name(path)


def leave_socket_folder(path: Path) -> None:
    """Remove the folder that stood in for `path`, once its server has taken its socket away."""
    folder = socket_folder(path)
    if folder != path:
        with contextlib.suppress(OSError):
            folder.rmdir()
