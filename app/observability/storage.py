"""Storage in numbers: a storage around another that counts calls, seconds, errors and bytes."""

from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

from storage.protocol import Delivery, SignedRequest, Storage, Upload

_SECONDS: Final = (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class StorageMetrics:
    """The instruments."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "comfyburst_storage_seconds",
            "Calls of storage.",
            ("operation",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._errors = Counter(
            "comfyburst_storage_errors",
            "Calls of storage that failed.",
            ("operation",),
            registry=registry,
        )
        self._bytes = Counter(
            "comfyburst_storage_bytes",
            "Bytes that went through the front door to and from storage.",
            ("direction",),
            registry=registry,
        )

    @contextmanager
    def call(self, operation: str) -> Generator[None]:
        """One call."""
        with (
            self._seconds.labels(operation).time(),
            self._errors.labels(operation).count_exceptions(),
        ):
            yield

    def moved(self, direction: str, size_bytes: int) -> None:
        """So many bytes went `in` or `out`."""
        self._bytes.labels(direction).inc(size_bytes)


@dataclass(frozen=True, slots=True)
class MeteredStorage:
    """See Storage; signing is pure and not counted."""

    inner: Storage
    metrics: StorageMetrics

    @property
    def max_put_bytes(self) -> int:
        """See Storage."""
        return self.inner.max_put_bytes

    async def check(self) -> None:
        """See Storage."""
        with self.metrics.call("check"):
            await self.inner.check()

    async def begin_upload(self, key: str) -> Upload:
        """See Storage."""
        with self.metrics.call("begin_upload"):
            return _MeteredUpload(await self.inner.begin_upload(key), self.metrics)

    async def size(self, key: str) -> int | None:
        """See Storage."""
        with self.metrics.call("size"):
            return await self.inner.size(key)

    async def delete(self, keys: Sequence[str]) -> None:
        """See Storage."""
        with self.metrics.call("delete"):
            await self.inner.delete(keys)

    async def drop_unfinished(self, older_than_s: float) -> int:
        """See Storage."""
        with self.metrics.call("drop_unfinished"):
            return await self.inner.drop_unfinished(older_than_s)

    def sign_put(
        self, key: str, *, origin: str, size_bytes: int, content_type: str, expires_s: float
    ) -> SignedRequest:
        """See Storage."""
        return self.inner.sign_put(
            key,
            origin=origin,
            size_bytes=size_bytes,
            content_type=content_type,
            expires_s=expires_s,
        )

    def sign_get(self, key: str, *, origin: str, delivery: Delivery, expires_s: float) -> str:
        """See Storage."""
        return self.inner.sign_get(key, origin=origin, delivery=delivery, expires_s=expires_s)

    def local_path(self, key: str) -> Path | None:
        """See Storage."""
        return self.inner.local_path(key)

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """See Storage."""
        with self.metrics.call("read"):
            async for chunk in self.inner.read(key):
                self.metrics.moved("out", len(chunk))
                yield chunk


@dataclass(frozen=True, slots=True)
class _MeteredUpload:
    inner: Upload
    metrics: StorageMetrics

    async def write(self, chunk: bytes) -> None:
        with self.metrics.call("write"):
            await self.inner.write(chunk)
        self.metrics.moved("in", len(chunk))

    async def commit(self) -> bool:
        with self.metrics.call("commit"):
            return await self.inner.commit()

    async def abort(self) -> None:
        await self.inner.abort()
