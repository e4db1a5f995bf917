"""Public JSON of assets, as v2 has it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.assets.models import Asset
from app.assets.service import delivery_of
from storage.protocol import Storage


class AssetOut(BaseModel):
    """A file: an upload, or an output of a job."""

    id: UUID
    hash: str | None = Field(description="`blake3:<hex>`; null while nobody computed it.")
    size_bytes: int
    content_type: str = Field(examples=["image/png"])
    file_path: str | None = Field(default=None, examples=["photo.png"])
    tags: list[str] = Field(default_factory=list[str], examples=[["input"]])
    created_new: bool | None = Field(
        default=None, description="After an upload: whether the bytes were new to the workspace."
    )
    created_at: datetime
    url: str = Field(description="Absolute, signed, short-lived; fetch it without a key.")
    url_expires_at: datetime
    expires_at: datetime | None = None
    job_id: UUID | None = None


class FromHash(BaseModel):
    """Body of `POST /assets/from-hash`."""

    model_config = ConfigDict(extra="ignore")

    hash: str = Field(examples=["blake3:" + "9f" * 32])
    file_path: str | None = Field(default=None, examples=["photo.png"])
    tags: list[str] = Field(default_factory=list, max_length=64)
    expires_in: int | None = Field(default=None, ge=60, le=604_800, description="Seconds.")


def render_asset(
    asset: Asset,
    storage: Storage,
    *,
    origin: str,
    url_expires_s: float,
    created_new: bool | None = None,
) -> dict[str, Any]:
    """An asset with a fresh URL."""
    body: dict[str, Any] = {
        "id": asset.id,
        "hash": asset.hash,
        "size_bytes": asset.size_bytes,
        "content_type": asset.content_type,
        "file_path": asset.file_path,
        "tags": asset.tags,
        "created_at": asset.created_at,
        "url": storage.sign_get(
            asset.storage_key, origin=origin, delivery=delivery_of(asset), expires_s=url_expires_s
        ),
        "url_expires_at": datetime.now(UTC) + timedelta(seconds=url_expires_s),
        "expires_at": asset.expires_at,
    }
    if asset.job_id is not None:
        body["job_id"] = asset.job_id
    if created_new is not None:
        body["created_new"] = created_new
    return body
