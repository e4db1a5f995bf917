"""`/api/v2/assets`: v2's assets."""

from typing import Annotated, Any
from urllib.parse import unquote

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import RedirectResponse

from app.assets.models import Asset
from app.assets.multipart import read_upload
from app.assets.schemas import AssetOut, FromHash, render_asset
from app.assets.service import AssetService, delivery_of
from app.config import Settings
from app.errors import NotFoundError
from app.http import file_response, head_response, json_response, parse_id
from app.identity.auth import Reader, Writer
from app.json_input import read_model
from app.origin import Origins
from app.provided import provided, provided_storage

router = APIRouter(prefix="/api/v2/assets", tags=["assets"])

MAX_FROM_HASH_BYTES = 65_536

AssetId = Annotated[
    str,
    Path(description="`id` of the asset.", examples=["01a20ed5-0261-7350-a2b2-c7082f2b0b87"]),
]


@router.post(
    "",
    status_code=201,
    response_model=AssetOut,
    operation_id="postAssets",
    summary="Upload a file",
    response_description="Kept; its bytes were new to the workspace.",
)
async def upload_asset(request: Request, caller: Writer) -> Response:
    """Upload a file as `multipart/form-data`: the parts of text first, `file` last.

    The order matters, since the bytes are hashed and stored while they arrive. The server computes
    the hash; `expected_hash` is compared with it, and where they differ nothing is kept: 409
    `hash_mismatch`. Bytes the workspace has already are not kept twice: 200 instead of 201.

    A graph names the file by its id (`core/ASSET`) or simply by its `file_path`, where the newest
    upload of that path counts. To spare an upload, ask `HEAD /assets/by-hash/{hash}` first.
    """
    fields, chunks = await read_upload(request)
    asset, is_new = await provided(request, AssetService).upload(
        caller.workspace_id, fields, chunks
    )
    return json_response(_render(request, asset, created_new=is_new), 201 if is_new else 200)


@router.post(
    "/from-hash",
    status_code=201,
    response_model=AssetOut,
    operation_id="assetFromHash",
    summary="Make an asset from a hash",
    response_description="A new record over bytes that were there.",
)
async def asset_from_hash(request: Request, caller: Writer) -> Response:
    """Make an asset over bytes the workspace already has: an upload of zero bytes.

    A hash is a way to find bytes, never a right to them: those of another workspace are 404
    `blob_not_found`, like those that nobody has. The same hash with the same `file_path` answers
    the asset that exists: 200 instead of 201.
    """
    body = await read_model(request, FromHash, MAX_FROM_HASH_BYTES)
    asset, is_new = await provided(request, AssetService).from_hash(
        caller.workspace_id, body.hash, body.file_path, body.tags, body.expires_in
    )
    return json_response(_render(request, asset, created_new=False), 201 if is_new else 200)


@router.head(
    "/by-hash/{hash}",
    operation_id="headAssetByHash",
    summary="Ask for a hash",
    response_description="They are here: make the asset with `POST /assets/from-hash`.",
)
async def has_hash(
    request: Request,
    hash: Annotated[
        str,
        Path(
            description="`blake3:` and 64 hexadecimal digits; the colon may be `%3A`.",
            examples=["blake3:3601b905f872015b8c9d3aecc39abf8c23645b95089e83c7e436d80fa9340f5a"],
        ),
    ],
    caller: Reader,
) -> Response:
    """Whether the workspace has these bytes, so that they need not be sent again.

    200 holds them for a day, so that the `from-hash` that follows cannot miss. No body either way.
    """
    known = await provided(request, AssetService).has_blob(caller.workspace_id, unquote(hash))
    return Response(status_code=200 if known else 404)


@router.get(
    "/{id}",
    response_model=AssetOut,
    operation_id="getAsset",
    summary="Get an asset",
    response_description="The record.",
)
async def get_asset(request: Request, id: AssetId, caller: Reader) -> Response:
    """A file's record, with a fresh `url` each time: ask again where one has expired.

    Outputs of jobs are assets too; their ids work as long as their job is kept.
    """
    return json_response(_render(request, await _asset(request, id, caller)))


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="deleteAsset",
    summary="Delete an upload",
    response_description="Deleted.",
)
async def delete_asset(request: Request, id: AssetId, caller: Writer) -> Response:
    """Delete an upload's record; its bytes stay while another asset uses them.

    An output, and an upload that a job which has not ended still needs, is 409 `asset_in_use`.
    A second delete is 404.
    """
    asset_id = parse_id(id)
    if asset_id is None:
        raise NotFoundError("asset")
    await provided(request, AssetService).delete(caller.workspace_id, asset_id)
    return Response(status_code=204)


@router.get(
    "/{id}/content",
    response_class=Response,
    operation_id="getAssetContent",
    summary="Download a file",
    response_description="The bytes.",
)
@router.head(
    "/{id}/content",
    response_class=Response,
    operation_id="headAssetContent",
    summary="Ask for a file's size and type",
    description="The headers of the download, without the bytes.",
    response_description="What the download would say.",
)
async def get_content(request: Request, id: AssetId, caller: Reader) -> Response:
    """The bytes, from here or, where files lie in object storage, by a 302 to a fresh signed URL.

    A broken download resumes with `Range`. The server chose the content type, and only images,
    sound and video are shown in a browser; everything else is saved. `url` of the asset gives the
    same bytes without a key, for as long as it is good.
    """
    asset = await _asset(request, id, caller)
    etag = f'"{asset.hash or asset.id}"'
    path = provided_storage(request).local_path(asset.storage_key)
    if path is not None:
        return file_response(request, path, delivery_of(asset), etag)
    if request.method == "HEAD":  # a URL is signed for one method
        return head_response(delivery_of(asset), asset.size_bytes, etag)
    return RedirectResponse(_render(request, asset)["url"], status_code=302)


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
