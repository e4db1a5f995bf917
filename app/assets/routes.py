"""`/api/v2/assets`: v2's assets."""

from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from app.assets.models import Asset
from app.assets.multipart import read_upload
from app.assets.schemas import AssetOut, FromHash, render_asset
from app.assets.service import AssetService, delivery_of
from app.config import Settings
from app.errors import NotFoundError
from app.http import file_response, json_response, parse_id
from app.identity.auth import Reader, Writer
from app.json_input import read_model
from app.origin import Origins
from app.provided import provided, provided_storage

router = APIRouter(prefix="/api/v2/assets", tags=["assets"])

MAX_FROM_HASH_BYTES = 65_536

_UPLOAD_SCHEMA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["content_type", "file_path", "file"],
                    "properties": {
                        "content_type": {"type": "string", "example": "image/png"},
                        "file_path": {"type": "string", "example": "photo.png"},
                        "expected_hash": {"type": "string", "example": "blake3:9f8a…"},
                        "tags": {"type": "array", "items": {"type": "string"}},
                        "expires_in": {"type": "integer", "minimum": 60, "maximum": 604800},
                        "file": {"type": "string", "format": "binary"},
                    },
                }
            }
        },
    }
}


@router.post("", status_code=201, response_model=AssetOut, openapi_extra=_UPLOAD_SCHEMA)
async def upload_asset(request: Request, caller: Writer) -> Response:
    """Upload a file. The parts of text come first, `file` last; 200 means the bytes were known."""
    fields, chunks = await read_upload(request)
    asset, is_new = await provided(request, AssetService).upload(
        caller.workspace_id, fields, chunks
    )
    return json_response(_render(request, asset, created_new=is_new), 201 if is_new else 200)


@router.post("/from-hash", status_code=201, response_model=AssetOut)
async def asset_from_hash(request: Request, caller: Writer) -> Response:
    """Make an asset over bytes the workspace already has: an upload of zero bytes."""
    body = await read_model(request, FromHash, MAX_FROM_HASH_BYTES)
    asset, is_new = await provided(request, AssetService).from_hash(
        caller.workspace_id, body.hash, body.file_path, body.tags, body.expires_in
    )
    return json_response(_render(request, asset, created_new=False), 201 if is_new else 200)


@router.head("/by-hash/{hash}", responses={404: {"description": "No such bytes here."}})
async def has_hash(request: Request, hash: str, caller: Reader) -> Response:
    """Whether the workspace has the bytes of this hash (`blake3:<hex>`)."""
    known = await provided(request, AssetService).has_blob(caller.workspace_id, unquote(hash))
    return Response(status_code=200 if known else 404)


@router.get("/{id}", response_model=AssetOut)
async def get_asset(request: Request, id: str, caller: Reader) -> Response:
    """A file's record with a fresh URL."""
    return json_response(_render(request, await _asset(request, id, caller)))


@router.delete("/{id}", status_code=204)
async def delete_asset(request: Request, id: str, caller: Writer) -> Response:
    """Delete an upload's record; its bytes stay while another asset uses them."""
    asset_id = parse_id(id)
    if asset_id is None:
        raise NotFoundError("asset")
    await provided(request, AssetService).delete(caller.workspace_id, asset_id)
    return Response(status_code=204)


@router.get("/{id}/content", response_class=Response)
@router.head("/{id}/content", include_in_schema=False)
async def get_content(request: Request, id: str, caller: Reader) -> Response:
    """The bytes, with Range; from object storage a 302 to a fresh signed URL."""
    asset = await _asset(request, id, caller)
    path = provided_storage(request).local_path(asset.storage_key)
    if path is None:
        return RedirectResponse(_render(request, asset)["url"], status_code=302)
    return file_response(request, path, delivery_of(asset), f'"{asset.hash or asset.id}"')


async def _asset(request: Request, id: str, caller: Reader) -> Asset:
    asset_id = parse_id(id)
    if asset_id is None:
        raise NotFoundError("asset")
    return await provided(request, AssetService).get(caller.workspace_id, asset_id)


def _render(request: Request, asset: Asset, *, created_new: bool | None = None) -> dict[str, Any]:
    return render_asset(
        asset,
        provided_storage(request),
        origin=provided(request, Origins).of(request),
        url_expires_s=provided(request, Settings).url_expires_s,
        created_new=created_new,
    )
