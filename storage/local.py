"""Objects as files in one folder, with signed URLs that carry the same binding as S3's.

A signature covers method, key, expiry, length, type and disposition. A PUT writes a temporary file
beside the objects and links it into place, so an object appears whole and is written once.
"""

import asyncio
import contextlib
import errno
import hashlib
import hmac
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Generator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from storage.protocol import Delivery, SignedRequest, StorageError, StorageFullError

FILES_PATH: Final = "/files"
_READ_BYTES: Final = 1 << 20
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class BadSignatureError(Exception):
    """The URL was altered, has expired, or was never ours."""


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


@dataclass(slots=True)
class LocalUpload:
    """A temporary file, unseen until it is linked to its key."""

    storage: "LocalStorage"
    path: Path
    descriptor: int

    async def write(self, chunk: bytes) -> None:
        """Append off the event loop."""
        await asyncio.to_thread(self._write, chunk)

    async def commit(self, key: str) -> None:
        """Link into place; where the key exists already its equal bytes stay."""
        await asyncio.to_thread(self._commit, key, may_exist=True)

    async def commit_once(self, key: str) -> bool:
        """Link into place; False where the key exists already, and nothing changes."""
        return await asyncio.to_thread(self._commit, key, may_exist=False)

    async def abort(self) -> None:
        """Remove the temporary file."""
        await asyncio.to_thread(self._abort)

    def _write(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        with _disk_errors():
            while view:
                view = view[os.write(self.descriptor, view) :]

    def _commit(self, key: str, *, may_exist: bool) -> bool:
        target = self.storage.path(key)
        with _disk_errors():
            os.fsync(self.descriptor)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                os.link(self.path, target)
            except FileExistsError:
                return may_exist
            finally:
                self._abort()
        return True

    def _abort(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class LocalStorage:
    """A folder. `signing_key` is shared by all front doors that serve it."""

    root: Path
    signing_key: bytes

    def path(self, key: str) -> Path:
        """The file of a key; raises ValueError for anything that is not one of our keys."""
        if not _KEY.fullmatch(key):
            raise ValueError(f"not a storage key: {key!r}")
        return self.root / "objects" / key

    def local_path(self, key: str) -> Path | None:
        """The file of a key."""
        return self.path(key)

    async def begin_upload(self) -> LocalUpload:
        """Open a temporary file."""
        return await asyncio.to_thread(self._begin)

    async def size(self, key: str) -> int | None:
        """Bytes of the object, or None."""
        return await asyncio.to_thread(self._size, key)

    async def delete(self, key: str) -> None:
        """Unlink the file."""
        await asyncio.to_thread(self.path(key).unlink, missing_ok=True)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The file, a mebibyte at a time."""
        with await asyncio.to_thread(self.path(key).open, "rb") as file:
            while chunk := await asyncio.to_thread(file.read, _READ_BYTES):
                yield chunk

    def sign_put(
        self, key: str, *, origin: str, size_bytes: int, content_type: str, expires_s: float
    ) -> SignedRequest:
        """See Storage."""
        query = self._signed(
            "PUT", key, expires_s, {"length": str(size_bytes), "type": content_type}
        )
        return SignedRequest(
            url=f"{origin}{FILES_PATH}/{quote(key)}?{query}",
            headers={
                "Content-Length": str(size_bytes),
                "Content-Type": content_type,
                "If-None-Match": "*",
            },
        )

    def sign_get(self, key: str, *, origin: str, delivery: Delivery, expires_s: float) -> str:
        """See Storage."""
        query = self._signed(
            "GET",
            key,
            expires_s,
            {
                "type": delivery.content_type,
                "name": delivery.file_name,
                "inline": "1" if delivery.inline else "0",
            },
        )
        return f"{origin}{FILES_PATH}/{quote(key)}?{query}"

    def verify_put(self, key: str, query: Mapping[str, str]) -> PutGrant:
        """Check a PUT's query; raises BadSignatureError."""
        signed = self._verified("PUT", key, query, ("length", "type"))
        return PutGrant(key=key, size_bytes=int(signed["length"]), content_type=signed["type"])

    def verify_get(self, key: str, query: Mapping[str, str]) -> GetGrant:
        """Check a GET's query; raises BadSignatureError."""
        signed = self._verified("GET", key, query, ("type", "name", "inline"))
        return GetGrant(
            key=key,
            delivery=Delivery(
                content_type=signed["type"],
                file_name=signed["name"],
                inline=signed["inline"] == "1",
            ),
        )

    def _begin(self) -> LocalUpload:
        incoming = self.root / "incoming"
        with _disk_errors():
            incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = incoming / secrets.token_hex(16)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        return LocalUpload(self, path, descriptor)

    def _size(self, key: str) -> int | None:
        try:
            return self.path(key).stat().st_size
        except FileNotFoundError:
            return None

    # The official SDK reads a URL's expiry from X-Goog-Date and X-Goog-Expires and from nothing
    # else (facts/comfy-api-v2.md §6), so our URLs carry those names.
    def _signed(self, method: str, key: str, expires_s: float, bound: dict[str, str]) -> str:
        query = {
            "X-Goog-Date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
            "X-Goog-Expires": str(int(expires_s)),
            **{f"X-Cb-{name}": value for name, value in bound.items()},
        }
        return urlencode({**query, "X-Cb-Signature": self._signature(method, key, query)})

    def _verified(
        self, method: str, key: str, query: Mapping[str, str], names: tuple[str, ...]
    ) -> dict[str, str]:
        wanted = ("X-Goog-Date", "X-Goog-Expires", *(f"X-Cb-{name}" for name in names))
        try:
            signed = {name: query[name] for name in wanted}
            given = query["X-Cb-Signature"]
        except KeyError as error:
            raise BadSignatureError from error
        if not hmac.compare_digest(given.encode(), self._signature(method, key, signed).encode()):
            raise BadSignatureError
        signed_at = datetime.strptime(signed["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if time.time() > signed_at.timestamp() + int(signed["X-Goog-Expires"]):
            raise BadSignatureError
        return {name: signed[f"X-Cb-{name}"] for name in names}

    def _signature(self, method: str, key: str, query: Mapping[str, str]) -> str:
        text = "\n".join([method, key, urlencode(sorted(query.items()))])
        return hmac.new(self.signing_key, text.encode(), hashlib.sha256).hexdigest()


@contextlib.contextmanager
def _disk_errors() -> Generator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFullError(f"no room left: {error.strerror}") from error
        raise StorageError(str(error)) from error
