"""One supervisor per state folder, held by a lock that ends with its process."""

import contextlib
import fcntl
import os
from collections.abc import Generator
from pathlib import Path


class AlreadyRunningError(Exception):
    """Another supervisor holds this state folder."""


@contextlib.contextmanager
def only_one(state: Path) -> Generator[None]:
    """Hold the state folder for as long as the block lasts.

    Raises:
        AlreadyRunningError: with the pid of whoever holds it.
    """
    with (state / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise AlreadyRunningError(f"already running (pid {lock.read().strip()})") from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
