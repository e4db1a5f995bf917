"""Rows and values of assets: records over content-addressed blobs."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.ids import uuid7


@dataclass(frozen=True, slots=True)
class Asset:
    """A file somebody can ask for: an upload, or a published output."""

    id: UUID
    workspace_id: UUID
    file_path: str
    content_type: str
    tags: list[str]
    size_bytes: int
    blake3: bytes | None
    storage_key: str
    created_at: datetime
    expires_at: datetime | None
    job_id: UUID | None

    @property
    def hash(self) -> str | None:
        """As v2 writes it; null while nobody computed it."""
        return f"blake3:{self.blake3.hex()}" if self.blake3 else None


@dataclass(frozen=True, slots=True)
class Blob:
    """Bytes of a workspace, known by the hash we computed."""

    id: UUID
    blake3: bytes
    size_bytes: int
    storage_key: str


@dataclass(frozen=True, slots=True)
class NewBlob:
    """Where an upload will lie: a key of its own, used once."""

    id: UUID
    workspace_id: UUID
    storage_key: str

    @classmethod
    def of(cls, workspace_id: UUID) -> "NewBlob":
        """A fresh one."""
        blob_id = uuid7()
        return cls(blob_id, workspace_id, f"{workspace_id}/blobs/{blob_id}")


@dataclass(frozen=True, slots=True)
class NewOutput:
    """An output an executor announces."""

    node_id: str
    name: str
    kind: str
    content_type: str
    size_bytes: int
