"""A view of the file system for one process: all of it read-only but its own folders.

Where the kernel lets us have one (root with CAP_SYS_ADMIN, Linux 5.12 or newer), nothing that a
workspace leaves can lie outside its own folders. Runs in `tether.py`, before the user changes:
standard library only.
"""

# pathlib knows no descriptors and would cost each start 10 ms:
# ruff: noqa: PTH103, PTH110, PTH112, PTH116, PTH120

import ctypes
import os
import stat
from collections.abc import Sequence
from contextlib import suppress

_CLONE_NEWNS = 0x00020000
_CLONE_NEWIPC = 0x08000000
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_SYS_MOUNT_SETATTR = 442  # of every architecture
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_RDONLY = 1
_O_PLACE = os.O_PATH | os.O_CLOEXEC
_LIBC = ctypes.CDLL(None, use_errno=True)

_TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - they are replaced
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - it is replaced


class _Attributes(ctypes.Structure):
    _fields_ = [
        ("set", ctypes.c_uint64),
        ("clear", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    ]


def enter(state: str, needed: Sequence[str], uid: int, gid: int) -> bool:
    """Give this process its own view; False where the kernel does not let us.

    Args:
        state: stays writable, as far as its permissions go; its `tmp` stands for /tmp and /var/tmp
        needed: files and folders that stay visible, whatever lies above them
        uid: who will look
        gid: with which group

    Raises:
        OSError: it stopped halfway; nothing may be started then.
    """
    if _LIBC.unshare(_CLONE_NEWNS | _CLONE_NEWIPC) != 0:
        return False
    with suppress(OSError):
        _mount(None, "/", None, _MS_REC | _MS_PRIVATE)
        # Opened before anything is covered; a link is followed now, not later.
        wanted = sorted({*needed, state})
        kept = {path: os.open(path, _O_PLACE) for path in wanted if os.path.exists(path)}
        temporary = os.open(f"{state}/tmp", _O_PLACE)  # noqa: S108 - ours
        _set_attributes("/", read_only=True, recursive=True)
        _build(state, kept, temporary, (uid, gid))
        os.chdir(state)
        return True
    return False


def _build(state: str, kept: dict[str, int], temporary: int, who: tuple[int, int]) -> None:
    covers = _cover_shared(temporary)
    for path in kept:
        if not any(_is_beneath(path, cover) for cover in covers):
            closed = _closed_above(path, *who)
            if closed is not None:
                _mount("tmpfs", closed, "tmpfs", 0, "mode=0755")
                covers.append(closed)
    for path, descriptor in kept.items():
        if path == state or any(_is_beneath(path, cover) for cover in covers):
            _make_place(path, descriptor)
            _bind(descriptor, path)
    _set_attributes(state, read_only=False)


def _cover_shared(temporary: int) -> list[str]:
    """Folders that everybody may write to become this user's alone."""
    covers = [path for path in _TEMPORARY if os.path.isdir(path)]
    for path in covers:
        _bind(temporary, path)
        _set_attributes(path, read_only=False)
    if os.path.isdir(_SHARED_MEMORY):
        _mount("tmpfs", _SHARED_MEMORY, "tmpfs", 0, "mode=1777")
    return covers


def _closed_above(path: str, uid: int, gid: int) -> str | None:
    """The first folder above `path` that the user may not pass through."""
    parts = path.split("/")[1:-1]
    for count in range(1, len(parts) + 1):
        folder = "/" + "/".join(parts[:count])
        if not _may_pass(os.stat(folder), uid, gid):
            return folder
    return None


def _may_pass(status: os.stat_result, uid: int, gid: int) -> bool:
    if status.st_uid == uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _is_beneath(path: str, folder: str) -> bool:
    return path.startswith(folder + "/")


def _make_place(path: str, descriptor: int) -> None:
    """Something to mount on, where a cover hides the original."""
    before = os.umask(0o022)
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            os.makedirs(path, exist_ok=True)
        else:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDONLY | os.O_CLOEXEC))
    finally:
        os.umask(before)


def _bind(descriptor: int, path: str) -> None:
    _mount(f"/proc/self/fd/{descriptor}", path, None, _MS_BIND | _MS_REC)


def _mount(source: str | None, path: str, kind: str | None, flags: int, data: str = "") -> None:
    words = [None if word is None else word.encode() for word in (source, path, kind)]
    _check(_LIBC.mount(*words, ctypes.c_ulong(flags), data.encode()), path)


def _set_attributes(path: str, *, read_only: bool, recursive: bool = False) -> None:
    wanted = _Attributes(set=_RDONLY) if read_only else _Attributes(clear=_RDONLY)
    flags = _AT_RECURSIVE if recursive else 0
    size = ctypes.c_size_t(ctypes.sizeof(wanted))
    told = (_AT_FDCWD, path.encode(), flags, ctypes.byref(wanted), size)
    _check(_LIBC.syscall(_SYS_MOUNT_SETATTR, *told), path)


def _check(answer: int, path: str) -> None:
    if answer != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
