"""Objects as files in one folder, with signed URLs that carry the same binding as S3's.

An upload writes a temporary file beside the objects and links it into place, so an object appears
whole, is written once, and is there after a power cut once its commit has returned.
"""

import asyncio
import contextlib
import os
import secrets
import stat
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

from storage.keys import checked_key
from storage.local_upload import LocalUpload, disk_errors
from storage.protocol import Delivery, SignedRequest, StorageError, StorageFullError
from storage.signed_query import signed_query, verified_query

FILES_PATH: Final = "/files"
_READ_BYTES: Final = 1 << 20
_NO_LIMIT: Final = (1 << 63) - 1
_NO_OBJECT: Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


@dataclass(frozen=True, slots=True)
class PutGrant:
    """A verified signed PUT."""

    key: str
    size_bytes: int
    content_type: str


@dataclass(frozen=True, slots=True)
class GetGrant:
    """A verified signed GET."""

    key: str
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """A folder. `signing_key` is shared by all front doors that serve it."""

    root: Path
    signing_key: bytes

    def __str__(self) -> str:
        return f"the folder {self.root}"

    @property
    def max_put_bytes(self) -> int:
        """As large as the disk allows."""
        return _NO_LIMIT

    def path(self, key: str) -> Path:
        """The file of a key; raises ValueError for anything that is not one of our keys."""
        return self._objects / checked_key(key)

    def local_path(self, key: str) -> Path | None:
        """The file of a key."""
        return self.path(key)

    async def check(self) -> None:
        """Store a byte, as an upload would; raises StorageError."""
        await asyncio.to_thread(self._check)

    async def begin_upload(self, key: str) -> LocalUpload:
        """Open a temporary file."""
        return await asyncio.to_thread(self._begin, self.path(key))

    async def size(self, key: str) -> int | None:
        """Bytes of the object, or None."""
        return await asyncio.to_thread(_size, self.path(key))

    async def delete(self, keys: Sequence[str]) -> None:
        """Unlink the files; folders stay, since another upload may be about to use them."""
        await asyncio.to_thread(_delete, [self.path(key) for key in keys])

    async def drop_unfinished(self, older_than_s: float) -> int:
        """Unlink temporary files that nobody has written to for so long."""
        return await asyncio.to_thread(self._drop_unfinished, older_than_s)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The file, a mebibyte at a time."""
        with await asyncio.to_thread(_open, self.path(key)) as file:
            while chunk := await asyncio.to_thread(_read, file):
                yield chunk

    def sign_put(
        self, key: str, *, origin: str, size_bytes: int, content_type: str, expires_s: float
    ) -> SignedRequest:
        """See Storage."""
        bound = {"length": str(size_bytes), "type": content_type}
        return SignedRequest(
            url=self._url("PUT", key, origin, expires_s, bound),
            headers={
                "Content-Length": str(size_bytes),
                "Content-Type": content_type,
                "If-None-Match": "*",
            },
        )

    def sign_get(self, key: str, *, origin: str, delivery: Delivery, expires_s: float) -> str:
        """See Storage."""
        bound = {
            "type": delivery.content_type,
            "name": delivery.file_name,
            "inline": "1" if delivery.inline else "0",
        }
        return self._url("GET", key, origin, expires_s, bound)

    def verify_put(self, key: str, query: str) -> PutGrant:
        """Check the raw query of a PUT; raises BadSignatureError."""
        signed = verified_query(self.signing_key, "PUT", key, query=query, names=("length", "type"))
        return PutGrant(key=key, size_bytes=int(signed["length"]), content_type=signed["type"])

    def verify_get(self, key: str, query: str) -> GetGrant:
        """Check the raw query of a GET; raises BadSignatureError."""
        signed = verified_query(
            self.signing_key, "GET", key, query=query, names=("type", "name", "inline")
        )
        return GetGrant(
            key=key,
            delivery=Delivery(
                content_type=signed["type"],
                file_name=signed["name"],
                inline=signed["inline"] == "1",
            ),
        )

    @property
    def _objects(self) -> Path:
        return self.root / "objects"

    @property
    def _incoming(self) -> Path:
        return self.root / "incoming"

    def _url(
        self, method: str, key: str, origin: str, expires_s: float, bound: dict[str, str]
    ) -> str:
        query = signed_query(
            self.signing_key, method, checked_key(key), expires_s=expires_s, bound=bound
        )
        return f"{origin}{FILES_PATH}/{key}?{query}"

    def _check(self) -> None:
        upload: LocalUpload | None = None
        probe = self._objects / f".check-{secrets.token_hex(8)}"
        try:
            upload = self._begin(probe)
            upload.write_now(b"x")
            upload.commit_now()
            probe.unlink()
        except StorageFullError as error:
            raise StorageFullError(f"{error}; make room for {self.root}") from error
        except (StorageError, OSError) as error:
            raise StorageError(
                f"{error}; let this user write and make hard links in {self.root}, "
                "or keep the files elsewhere"
            ) from error
        finally:
            if upload is not None:
                upload.abort_now()

    def _begin(self, target: Path) -> LocalUpload:
        path = self._incoming / secrets.token_hex(16)
        with disk_errors():
            self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = FileIO(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600))
        return LocalUpload(file, path, target, self.root)

    def _drop_unfinished(self, older_than_s: float) -> int:
        oldest = time.time() - older_than_s
        dropped = 0
        with disk_errors():
            for path in self._incoming.glob("*"):
                with contextlib.suppress(FileNotFoundError):  # committed or aborted meanwhile
                    if path.stat().st_mtime < oldest:
                        path.unlink()
                        dropped += 1
        return dropped


def _size(path: Path) -> int | None:
    with disk_errors():
        try:
            found = path.stat()
        except _NO_OBJECT:
            return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _delete(paths: Sequence[Path]) -> None:
    for path in paths:
        with disk_errors(), contextlib.suppress(*_NO_OBJECT):
            path.unlink()


def _open(path: Path) -> FileIO:
    with disk_errors():
        return FileIO(path)


def _read(file: FileIO) -> bytes | None:
    with disk_errors():
        return file.read(_READ_BYTES)
