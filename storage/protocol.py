"""What the front door asks of a place for bytes; `local.py` and `s3.py` answer it.

Keys are made by the front door: `{workspace}/…`, characters `[A-Za-z0-9._/-]` only, and each is
written once in its life: an object never changes and its key is never used again, so deleting one
can never meet another's upload of the same.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class StorageError(Exception):
    """The bytes could not be stored or read; worth another try."""


class StorageFullError(StorageError):
    """There is no room."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """One request, allowed until it expires, with exactly these headers."""

    url: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an object is shown to whoever fetches it: chosen by the server, never by the uploader."""

    content_type: str
    file_name: str
    inline: bool


class Upload(Protocol):
    """Bytes on their way in: nobody sees them until they are committed.

    After an error there is only abort.
    """

    async def write(self, chunk: bytes) -> None:
        """Append; raises StorageFullError, StorageError."""
        ...

    async def commit(self) -> bool:
        """Make what was written the object, whole; False where the key exists, and nothing changes."""
        ...

    async def abort(self) -> None:
        """Forget what was written; harmless after commit, and never an error."""
        ...


class Storage(Protocol):
    """A place for bytes, shared by all front doors; `str()` says where it is."""

    @property
    def max_put_bytes(self) -> int:
        """The largest object that one signed PUT can make."""
        ...

    async def check(self) -> None:
        """Whether it can be reached and written; raises StorageError that says what to do."""
        ...

    async def begin_upload(self, key: str) -> Upload:
        """Start receiving the bytes of a new object through the front door."""
        ...

    async def size(self, key: str) -> int | None:
        """Bytes of the object, or None where there is none; raises StorageError."""
        ...

    async def delete(self, keys: Sequence[str]) -> None:
        """Remove objects, at most 1,000; harmless where there are none. Raises StorageError."""
        ...

    async def drop_unfinished(self, older_than_s: float) -> int:
        """Remove what uploads left behind that were never committed; returns how many.

        Raises:
            StorageError: some may be removed, the rest is still there.
        """
        ...

    def sign_put(
        self, key: str, *, origin: str, size_bytes: int, content_type: str, expires_s: float
    ) -> SignedRequest:
        """A write-once PUT of exactly so many bytes of that type.

        Args:
            key: of the object
            origin: under which the caller reaches us, used where we serve the files ourselves
            size_bytes: signed as Content-Length; `max_put_bytes` at most
            content_type: signed as Content-Type
            expires_s: life of the URL
        """
        ...

    def sign_get(self, key: str, *, origin: str, delivery: Delivery, expires_s: float) -> str:
        """An absolute URL that serves the object as `delivery` says."""
        ...

    def local_path(self, key: str) -> Path | None:
        """Where the object lies, if it is a file of this machine."""
        ...

    def read(self, key: str) -> AsyncIterator[bytes]:
        """The object's bytes; raises StorageError, where there is none too."""
        ...
