"""Rules about files: upload with dedupe, mint from a hash, find, show."""

import unicodedata
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from blake3 import blake3

from app.assets.media import clean_basename, content_type_of, is_inline
from app.assets.models import Asset, NewBlob
from app.assets.repository.assets import AssetRepository, BlobGoneError
from app.errors import AppError, NotFoundError, StorageUnavailableError
from storage.protocol import Delivery, Storage, Upload

MAX_PATH_LENGTH: Final = 1_000
HASH_PREFIX: Final = "blake3:"
_BLAKE3_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """The fields before the bytes of an upload."""

    file_path: str
    expected_hash: str | None
    tags: list[str]
    expires_in_s: int | None


@dataclass(frozen=True, slots=True)
class AssetService:
    """Files of workspaces."""

    repository: AssetRepository
    storage: Storage
    max_upload_bytes: int
    retention_s: float | None
    """Of uploads that do not ask for one of their own; None keeps them until they are deleted."""

    async def upload(
        self, workspace_id: UUID, request: UploadRequest, chunks: AsyncIterator[bytes]
    ) -> tuple[Asset, bool]:
        """Receive bytes, hash them on the way, keep them once; returns whether they were new.

        Raises:
            AppError: 409 `hash_mismatch`, 413 `payload_too_large`, 422, 503 `storage_unavailable`.
            StorageError: as storage raises it.
        """
        path = checked_path(request.file_path)
        expected = parse_hash(request.expected_hash) if request.expected_hash else None
        blob = NewBlob.of(workspace_id)
        # The row before the bytes: whatever is killed in between, the sweep finds what is left.
        await self.repository.begin_blob(blob)
        upload = await self.storage.begin_upload(blob.storage_key)
        try:
            blob_id, is_new = await self._store(upload, blob, expected, chunks)
        finally:
            await upload.abort()
        asset, _ = await self._mint(workspace_id, blob_id, path, request.tags, request.expires_in_s)
        return asset, is_new

    async def has_blob(self, workspace_id: UUID, hash_text: str) -> bool:
        """Whether the workspace can mint from that hash."""
        try:
            digest = parse_hash(hash_text)
        except AppError:
            return False
        return await self.repository.lease(workspace_id, digest) is not None

    async def from_hash(
        self,
        workspace_id: UUID,
        hash_text: str,
        file_path: str | None,
        tags: list[str],
        expires_in_s: int | None,
    ) -> tuple[Asset, bool]:
        """Mint an asset over bytes the workspace already has; returns whether the asset is new.

        Raises:
            AppError: 404 `blob_not_found`, 422.
        """
        digest = parse_hash(hash_text)
        blob = await self.repository.lease(workspace_id, digest)
        if blob is None:
            raise _blob_not_found()
        path = checked_path(file_path) if file_path else digest.hex()
        return await self._mint(workspace_id, blob.id, path, tags, expires_in_s)

    async def hashed(self, storage_key: str, digest: bytes) -> None:
        """The bytes of an output passed through us: what we computed may dedupe, as an upload's."""
        await self.repository.verify_blob(storage_key, digest)

    async def get(self, workspace_id: UUID, asset_id: UUID) -> Asset:
        """The asset; raises NotFoundError."""
        asset = await self.repository.get(workspace_id, asset_id)
        if asset is None:
            raise NotFoundError("asset")
        return asset

    async def delete(self, workspace_id: UUID, asset_id: UUID) -> None:
        """Delete an upload's record; its bytes stay while another asset uses them.

        Raises:
            AppError: 404 `asset_not_found`, 409 `asset_in_use`.
        """
        if await self.repository.delete(workspace_id, asset_id):
            return
        await self.get(workspace_id, asset_id)
        raise AppError(409, "asset_in_use", "A job still depends on this asset.")

    async def _store(
        self, upload: Upload, blob: NewBlob, expected: bytes | None, chunks: AsyncIterator[bytes]
    ) -> tuple[UUID, bool]:
        """Receive; returns the blob that holds the bytes then, and whether they are new."""
        try:
            digest, size = await self._receive(upload, chunks)
            _check_expected(digest, expected)
        except AppError:
            await self._give_up(upload, blob)
            raise
        known = await self.repository.lease(blob.workspace_id, digest)
        if known and await self.storage.size(known.storage_key) == known.size_bytes:
            await self._give_up(upload, blob)
            return known.id, False
        await upload.commit()
        if known:
            await self.repository.heal_blob(known.id, blob.id)
            return known.id, False
        return await self._keep(blob, digest, size)

    async def _give_up(self, upload: Upload, blob: NewBlob) -> None:
        # Only where nothing was committed: after that the row is what finds the object.
        await upload.abort()
        await self.repository.forget_blob(blob.id)

    async def _keep(self, blob: NewBlob, digest: bytes, size: int) -> tuple[UUID, bool]:
        try:
            if await self.repository.keep_blob(blob.id, digest, size):
                return blob.id, True
        except BlobGoneError as error:
            await self.storage.delete([blob.storage_key])
            raise StorageUnavailableError from error
        # The same bytes arrived twice at once: ours are swept, theirs are used.
        theirs = await self.repository.lease(blob.workspace_id, digest)
        assert theirs is not None, "the row that we collided with"
        return theirs.id, False

    async def _receive(self, upload: Upload, chunks: AsyncIterator[bytes]) -> tuple[bytes, int]:
        hasher = blake3()
        size = 0
        async for chunk in chunks:
            size += len(chunk)
            if size > self.max_upload_bytes:
                raise AppError(
                    413,
                    "payload_too_large",
                    f"A file may have {self.max_upload_bytes} bytes at most.",
                    details={"max_bytes": self.max_upload_bytes},
                )
            hasher.update(chunk)
            await upload.write(chunk)
        return hasher.digest(), size

    async def _mint(
        self,
        workspace_id: UUID,
        blob_id: UUID,
        path: str,
        tags: list[str],
        expires_in_s: int | None,
    ) -> tuple[Asset, bool]:
        try:
            return await self.repository.mint(
                workspace_id,
                blob_id,
                path,
                content_type_of(path),
                tags=tags,
                expires_in_s=self.retention_s if expires_in_s is None else expires_in_s,
            )
        except BlobGoneError as error:
            raise _blob_not_found() from error


def delivery_of(asset: Asset) -> Delivery:
    """How an asset is served."""
    return Delivery(
        content_type=asset.content_type,
        file_name=clean_basename(asset.file_path),
        inline=is_inline(asset.content_type),
    )


def parse_hash(text: str) -> bytes:
    """`blake3:<64 hex>` in any case; raises AppError 422 `invalid_hash`."""
    prefix, _, digits = text.lower().partition(":")
    try:
        digest = bytes.fromhex(digits)
    except ValueError:
        digest = b""
    if f"{prefix}:" != HASH_PREFIX or len(digest) != _BLAKE3_BYTES:
        raise AppError(422, "invalid_hash", "A hash is written blake3: and 64 hexadecimal digits.")
    return digest


def checked_path(path: str) -> str:
    """A relative path of printable parts; raises AppError 422 `invalid_file_path`."""
    parts = path.replace("\\", "/").split("/")
    bad = (
        not path
        or len(path) > MAX_PATH_LENGTH
        or any(part in {"", ".", ".."} for part in parts)
        or any(unicodedata.category(c) in {"Cc", "Zl", "Zp"} for c in path)
        or ":" in parts[0]
    )
    if bad:
        raise AppError(
            422,
            "invalid_file_path",
            "file_path must be a relative path without '..', at most 1,000 characters long.",
        )
    return "/".join(parts)


def _check_expected(digest: bytes, expected: bytes | None) -> None:
    if expected is not None and digest != expected:
        raise AppError(
            409,
            "hash_mismatch",
            f"The bytes received hash to {HASH_PREFIX}{digest.hex()}, not to what was expected.",
        )


def _blob_not_found() -> AppError:
    return AppError(404, "blob_not_found", "There are no bytes of that hash to mint from.")
