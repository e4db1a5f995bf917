"""What walks over strangers' files read from and write to: descriptors, at positions of their own.

Like all of this package but `process`, it runs under ComfyUI's interpreter (Python 3.10 and later) and
imports nothing but the standard library and its neighbours.
"""

import io
import os
from typing import Any

_PIECE_BYTES = 1 << 20
MAX_WHOLE_BYTES = 256 << 20
"""Of files that are walked in memory: pictures whose marks must be searched."""


class CannotStripError(Exception):
    """The metadata of a file cannot be taken out; the message completes "…, because"."""


class Source:
    """A file to read: never more than it has, whatever its length fields say."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def check(self, at: int, length: int) -> None:
        """Refuse a part that the file does not have. Raises CannotStripError."""
        if length < 0 or at + length > self.size:
            raise CannotStripError("the file is broken: it ends before its parts do")

    def read(self, at: int, length: int) -> bytes:
        """Exactly so many bytes. Raises CannotStripError."""
        self.check(at, length)
        data = os.pread(self.descriptor, length, at)
        if len(data) != length:
            raise CannotStripError("the file changed while it was read")
        return data

    def start(self, length: int) -> bytes:
        """Its first bytes, as many as there are."""
        return os.pread(self.descriptor, length, 0)

    def whole(self) -> bytes:
        """All of it. Raises CannotStripError."""
        if self.size > MAX_WHOLE_BYTES:
            raise CannotStripError(f"it is larger than {MAX_WHOLE_BYTES >> 20} MiB")
        return self.read(0, self.size)


class Sink:
    """A file to write, from its start."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._at = 0

    def write(self, data: bytes) -> None:
        """Append."""
        _write(self.descriptor, data, self._at)
        self._at += len(data)

    def copy(self, source: Source, at: int, length: int) -> None:
        """Append a part of the source, piece by piece. Raises CannotStripError."""
        source.check(at, length)
        while length:
            piece = source.read(at, min(length, _PIECE_BYTES))
            self.write(piece)
            at += len(piece)
            length -= len(piece)


class PositionedFile(io.RawIOBase):
    """A file object on a descriptor whose own position is shared with whoever uploads it."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def writable(self) -> bool:
        """As far as its descriptor is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; nothing is read."""
        size = os.fstat(self._descriptor).st_size
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read at the position."""
        count = os.preadv(self._descriptor, [buffer], self._at)
        self._at += count
        return count

    def write(self, data: Any) -> int:
        """Write all of it at the position."""
        count = _write(self._descriptor, bytes(data), self._at)
        self._at += count
        return count


def _write(descriptor: int, data: bytes, at: int) -> int:
    left = memoryview(data)
    while left:
        count = os.pwrite(descriptor, left, at)
        left, at = left[count:], at + count
    return len(data)
