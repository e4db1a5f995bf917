"""`/files`: local storage by its signed URLs. An object store answers these by itself."""

from blake3 import blake3
from fastapi import APIRouter, Request, Response

from app.assets.service import AssetService
from app.errors import AppError
from app.http import file_response
from app.provided import provided, provided_storage
from storage.local import LocalStorage, PutGrant
from storage.signed_query import BadSignatureError

router = APIRouter(prefix="/files", include_in_schema=False)


@router.api_route("/{key:path}", methods=["GET", "HEAD"])
async def serve_file(request: Request, key: str) -> Response:
    """An object by its signed URL."""
    storage = _local(request)
    try:
        grant = storage.verify_get(key, request.url.query)
    except (BadSignatureError, ValueError) as error:
        raise _bad_signature() from error
    return file_response(
        request,
        storage.path(grant.key),
        grant.delivery,
        f'"{request.query_params["X-Cb-Signature"]}"',
    )


@router.put("/{key:path}", status_code=201)
async def store_file(request: Request, key: str) -> Response:
    """Write an object once, with exactly the signed length and type."""
    storage = _local(request)
    try:
        grant = storage.verify_put(key, request.url.query)
        storage.path(key)
    except (BadSignatureError, ValueError) as error:
        raise _bad_signature() from error
    if request.headers.get("content-type") != grant.content_type:
        raise AppError(403, "wrong_type", "The Content-Type is not the signed one.")
    if request.headers.get("content-length") != str(grant.size_bytes):
        raise AppError(411, "wrong_length", f"Send exactly {grant.size_bytes} bytes.")
    digest = await _receive(request, storage, grant)
    await provided(request, AssetService).hashed(grant.key, digest)
    return Response(status_code=201)


async def _receive(request: Request, storage: LocalStorage, grant: PutGrant) -> bytes:
    """Store the body; returns its blake3."""
    hasher = blake3()
    received = 0
    upload = await storage.begin_upload(grant.key)
    try:
        async for chunk in request.stream():
            received += len(chunk)
            hasher.update(chunk)
            await upload.write(chunk)
        if received != grant.size_bytes:
            raise AppError(400, "wrong_length", f"{received} of {grant.size_bytes} bytes arrived.")
        if not await upload.commit():
            raise AppError(412, "already_written", "This object exists; it is written once.")
    finally:
        await upload.abort()
    return hasher.digest()


def _local(request: Request) -> LocalStorage:
    storage = provided_storage(request)
    if not isinstance(storage, LocalStorage):
        raise AppError(404, "not_found", "There is nothing at this address.")
    return storage


def _bad_signature() -> AppError:
    return AppError(
        403, "bad_signature", "This URL was altered or has expired; ask for a fresh one."
    )
