"""How do bytes become a file of the store? Beside the objects first, then linked into place, whole."""

import asyncio
import contextlib
import errno
import logging
import os
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Final

from storage.protocol import StorageError, StorageFullError

log = logging.getLogger(__name__)

_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@dataclass(slots=True)
class LocalUpload:
    """A temporary file, unseen until it is linked to its key."""

    file: FileIO
    path: Path
    target: Path
    root: Path
    # A write that was canceled goes on in its thread: abort must not close the file beneath it.
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def write(self, chunk: bytes) -> None:
        """Append off the event loop."""
        await asyncio.to_thread(self.write_now, chunk)

    async def commit(self) -> bool:
        """Link into place; False where the key exists already, and nothing changes."""
        return await asyncio.to_thread(self.commit_now)

    async def abort(self) -> None:
        """Remove the temporary file."""
        await asyncio.to_thread(self.abort_now)

    def write_now(self, chunk: bytes) -> None:
        """Append; a disk takes what it has room for, and says so with the next piece."""
        view = memoryview(chunk)
        with self._lock, disk_errors():
            while view:
                view = view[self.file.write(view) :]

    def commit_now(self) -> bool:
        """Link into place, and let it be on the disk before it is said to be."""
        with self._lock, disk_errors():
            os.fsync(self.file.fileno())
            self.target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                os.link(self.path, self.target)
                self._sync_folders()
            except FileExistsError:
                return False
            finally:
                self._drop()
        return True

    def abort_now(self) -> None:
        """Remove the temporary file; nothing to do after commit."""
        with self._lock:
            try:
                self._drop()
            except OSError as error:
                log.warning("%s stays until unfinished uploads are dropped: %s", self.path, error)

    def _sync_folders(self) -> None:
        """All of them up to the root: any may be new, made by us or a moment ago by another."""
        folder = self.target.parent
        while True:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if folder == self.root:
                return
            folder = folder.parent

    def _drop(self) -> None:
        self.file.close()
        self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def disk_errors() -> Generator[None]:
    """Say of an error of the disk whether it is for want of room."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFullError(f"no room left: {error.strerror}") from error
        raise StorageError(str(error)) from error
    except ValueError as error:  # a file that abort has closed
        raise StorageError(str(error)) from error
