"""Public JSON of assets, as v2 has it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from app.assets.models import Asset
from app.assets.service import delivery_of
from storage.protocol import Storage


class AssetOut(BaseModel):
    """A file: an upload, or an output of a job."""

    model_config = ConfigDict(json_schema_mode_override="validation")

    id: UUID
    hash: str | None = Field(description="`blake3:<hex>`; null while nobody computed it.")
    size_bytes: int
    content_type: str = Field(description="The server decides it by the name, not by the upload.")
    file_path: str = Field(description="By this name a graph may use it.")
    tags: list[str]
    created_new: bool | SkipJsonSchema[None] = Field(
        default=None,
        description="Only where it was just made: whether its bytes were new to the workspace.",
    )
    created_at: datetime
    url: str = Field(
        json_schema_extra={"format": "uri"},
        description="Absolute, signed, short-lived; fetch it without a key.",
    )
    url_expires_at: datetime
    expires_at: datetime | None = Field(description="Null: until it is deleted, or its job is.")
    job_id: UUID | SkipJsonSchema[None] = Field(
        default=None, description="The job that made it; absent for uploads."
    )


class FromHash(BaseModel):
    """Which bytes, and what to call them."""

    model_config = ConfigDict(extra="ignore", strict=True)

    hash: str = Field(
        json_schema_extra={"pattern": "^[bB][lL][aA][kK][eE]3:[0-9a-fA-F]{64}$"},
        description="`blake3:` and 64 hexadecimal digits.",
    )
    file_path: str | None = Field(
        default=None, description="A relative path; default: the digits of the hash."
    )
    tags: list[str] = Field(default_factory=list, max_length=64)
    expires_in: int | None = Field(
        default=None, ge=60, le=604_800, description="Seconds to keep the record; see the upload."
    )


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
