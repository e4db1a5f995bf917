"""Where things of a state folder may lie: private folders, short socket paths, folders nobody can enter."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

MAX_SOCKET_FOLDER: Final = 85
"""sun_path holds 104 bytes on macOS and 108 on Linux; a socket's name takes up to 20 of them."""


class PlaceError(Exception):
    """A folder cannot be used, and why."""


def private_folder(path: Path) -> Path:
    """Make a folder that only we can enter, whatever the umask.

    Raises:
        PlaceError: it is a link, another user's, or cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
        if path.is_symlink() or status.st_uid != os.geteuid():
            raise PlaceError(f"{path} is a link or belongs to another user; choose --state DIR")
        path.chmod(0o700)
    except OSError as error:
        raise PlaceError(f"{path} cannot be used: {error.strerror}") from error
    return path


def enterable_folder(path: Path) -> Path:
    """Make a folder of ours that everybody may pass through and nobody may list, whatever the umask.

    Raises:
        PlaceError: it is a link, another user's, or cannot be made.
    """
    try:
        path.mkdir(mode=0o711, parents=True, exist_ok=True)
        if path.is_symlink() or path.lstat().st_uid != os.geteuid():
            raise PlaceError(f"{path} is a link or belongs to another user; remove it")
        path.chmod(0o711)
    except OSError as error:
        raise PlaceError(f"{path} cannot be used: {error.strerror}") from error
    return path


def _short_name(path: Path) -> str:
    """A name for what belongs to a folder, where the folder's own path cannot be used."""
    return f"comfyburst-{os.geteuid()}-{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"


def socket_folder(path: Path) -> Path:
    """The folder itself, or a private one with a short path where a socket would not fit."""
    if len(str(path)) <= MAX_SOCKET_FOLDER:
        return path
    return Path(tempfile.gettempdir()) / _short_name(path)
