"""Nothing of a user is left: `python -I -S sweep.py JSON`, started as root, does its work as that user.

As that user it can end and delete only what is the user's, whatever links and renames a hostile node
prepared. Processes first: `kill(-1)` meets all of them at once, so that no fork escapes it.
"""

# pathlib knows no descriptors and would cost each start 10 ms:
# ruff: noqa: PTH100, PTH120, PTH123, PTH208

import contextlib
import ctypes
import itertools
import json
import os
import signal
import stat
import sys
import time
from collections.abc import Generator

_IPC_RMID = 0
_IPC_KINDS = {"msg": ("msgctl", "msqid"), "sem": ("semctl", "semid"), "shm": ("shmctl", "shmid")}
_POLL_S = 0.01
_DEEPEST = 100
_numbers = itertools.count()


def main() -> None:
    """Become the user, end it, delete what it has."""
    told = json.loads(sys.argv[1])
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, os.path.dirname(os.path.dirname(here)))
    from gpu_functions.isolation.become import become
    from gpu_functions.isolation.processes import processes_of

    # Opened before, since as that user we may not reach them; then what follows goes by descriptor.
    emptied = [
        descriptor for folder in told["emptied"] if (descriptor := _open(folder)) is not None
    ]
    # At once after one another: in between, what is to be killed could kill us.
    become(told["uid"], told["gid"])
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    until = time.monotonic() + told["patience_s"]
    while processes_of(told["uid"], but=os.getpid()):
        if time.monotonic() > until:
            sys.exit("processes of the user do not end")
        time.sleep(_POLL_S)
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
    for descriptor in emptied:
        empty(descriptor)
    for folder in told["searched"]:
        search(folder, told["uid"])
    remove_ipc(told["uid"])


def empty(top: int) -> None:
    """Delete what is in a folder of the user's, following no link.

    However deep: what lies too deep to be reached is moved up and comes next.
    """
    names = os.listdir(top)
    while names:
        for name in names:
            _delete(name, top, top, depth=0)
        before, names = names, os.listdir(top)
        if set(names) == set(before):
            return  # not the user's to delete


def _delete(name: str, folder: int, top: int, depth: int) -> None:
    with contextlib.suppress(OSError):
        if not stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
            os.unlink(name, dir_fd=folder)
            return
        # Its owner may have closed it. Nobody is left who could put a link in its place.
        os.chmod(name, 0o700, dir_fd=folder)
        if depth == _DEEPEST:
            os.rename(name, f"deep-{next(_numbers)}", src_dir_fd=folder, dst_dir_fd=top)
            return
        with _opened(name, folder) as inner:
            if inner is not None:
                for below in os.listdir(inner):
                    _delete(below, inner, top, depth + 1)
        os.rmdir(name, dir_fd=folder)


def search(folder: str, uid: int) -> None:
    """Delete what the user owns in a folder that everybody may write to, however deep."""
    with _opened(folder, None) as descriptor:
        if descriptor is not None:
            _search(descriptor, uid, os.fstat(descriptor).st_dev)


def _search(folder: int, uid: int, device: int) -> None:
    with contextlib.suppress(OSError):
        # Without the right to write here, the user cannot have made anything here.
        writable = os.access(".", os.W_OK, dir_fd=folder)
        with os.scandir(folder) as entries:
            found = list(entries)
        for entry in found:
            if writable and entry.stat(follow_symlinks=False).st_uid == uid:
                _delete_owned(entry.name, folder)
            elif entry.is_dir(follow_symlinks=False):
                with _opened(entry.name, folder) as inner:
                    if inner is not None and os.fstat(inner).st_dev == device:
                        _search(inner, uid, device)


def _delete_owned(name: str, folder: int) -> None:
    with contextlib.suppress(OSError):
        if stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
            os.chmod(name, 0o700, dir_fd=folder)
    with _opened(name, folder) as inner:
        if inner is not None:
            empty(inner)
    with contextlib.suppress(OSError):
        is_folder = stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode)
        (os.rmdir if is_folder else os.unlink)(name, dir_fd=folder)


@contextlib.contextmanager
def _opened(name: str, folder: int | None) -> Generator[int | None]:
    """A folder as a descriptor; None where it cannot be opened, or is none."""
    descriptor = _open(name, folder)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _open(name: str, folder: int | None = None) -> int | None:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(OSError):
        return os.open(name, flags, dir_fd=folder)
    return None


def remove_ipc(uid: int) -> None:
    """System V queues, semaphores and shared memory of the user."""
    libc = ctypes.CDLL(None)
    for kind, (function, id_column) in _IPC_KINDS.items():
        for identifier in _ipc_ids(kind, id_column, uid):
            if kind == "sem":
                libc.semctl(identifier, 0, _IPC_RMID)
            else:
                getattr(libc, function)(identifier, _IPC_RMID, None)


def _ipc_ids(kind: str, id_column: str, uid: int) -> list[int]:
    try:
        with open(f"/proc/sysvipc/{kind}", encoding="utf-8") as file:
            header, *rows = [line.split() for line in file]
    except (OSError, ValueError):
        return []
    tables = [dict(zip(header, row, strict=False)) for row in rows]
    return [int(row[id_column]) for row in tables if str(uid) in (row["uid"], row["cuid"])]


if __name__ == "__main__":
    main()
