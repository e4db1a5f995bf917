"""Objects in a bucket: S3, MinIO, R2, Supabase Storage, anything that speaks S3's API (docs/storage.md).

Callers and workers move bytes by presigned URLs; through us go only uploads of the API.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.exceptions import BotoCoreError

from storage.disposition import content_disposition
from storage.keys import checked_key
from storage.protocol import Delivery, SignedRequest, StorageError
from storage.s3_calls import CONNECTIONS, S3Calls, S3Error, make_client
from storage.s3_place import S3Place
from storage.s3_upload import S3Upload

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

_MAX_PUT_BYTES: Final = 5 << 30
_MAX_LIFETIME_S: Final = 7 * 86_400
"""SigV4 knows no longer one."""
_READ_BYTES: Final = 1 << 20
_CHECK_FOLDER: Final = "comfyburst-check"


@asynccontextmanager
async def open_s3(place: S3Place) -> AsyncGenerator["S3Storage"]:
    """Storage in a bucket; its threads and connections end with the block. Nothing is sent yet.

    Raises:
        StorageError: a place that cannot be: half a credential, an unknown profile.
    """
    # Reading boto3's model of S3 takes a good part of a second.
    client = await asyncio.to_thread(make_client, place, place.endpoint_url)
    signer = client
    if place.public_endpoint_url:
        signer = await asyncio.to_thread(make_client, place, place.public_endpoint_url)
    pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="s3")
    try:
        yield S3Storage(S3Calls(client, place, pool), signer)
    finally:
        await asyncio.to_thread(pool.shutdown, cancel_futures=True)
        client.close()
        signer.close()


@dataclass(frozen=True, slots=True)
class S3Storage:
    """A bucket that nobody else uses. `signer` knows it under the name that callers reach."""

    calls: S3Calls
    signer: "S3Client"

    def __str__(self) -> str:
        return str(self.calls.place)

    @property
    def max_put_bytes(self) -> int:
        """S3's limit for one PUT."""
        return _MAX_PUT_BYTES

    async def check(self) -> None:
        """Write and delete an object, and ask for unfinished uploads; raises StorageError."""
        upload = await self.begin_upload(f"{_CHECK_FOLDER}/{secrets.token_hex(8)}")
        await upload.write(b"x")
        await upload.commit()
        if await self.size(upload.key) != 1:
            raise StorageError(f"{self}: what was written cannot be found again")
        await self.delete([upload.key])
        await self.calls.run(
            lambda s3: s3.list_multipart_uploads(Bucket=self._bucket, MaxUploads=1)
        )

    async def clock_skew_s(self) -> float:
        """How far our clock is ahead of the server's; raises StorageError."""
        reply = await self.calls.run(lambda s3: s3.head_bucket(Bucket=self._bucket))
        now = datetime.now(UTC)
        told = reply["ResponseMetadata"]["HTTPHeaders"].get("date")
        return (now - parsedate_to_datetime(told)).total_seconds() if told else 0.0

    async def begin_upload(self, key: str) -> S3Upload:
        """Nothing is sent before a part is full."""
        return S3Upload(self.calls, checked_key(key))

    async def size(self, key: str) -> int | None:
        """Bytes of the object, or None."""
        try:
            found = await self.calls.run(
                lambda s3: s3.head_object(Bucket=self._bucket, Key=checked_key(key))
            )
        except S3Error as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise
        return found["ContentLength"]

    async def delete(self, keys: Sequence[str]) -> None:
        """One DeleteObjects."""
        if not keys:
            return
        reply = await self.calls.run(
            lambda s3: s3.delete_objects(
                Bucket=self._bucket,
                Delete={"Objects": [{"Key": checked_key(key)} for key in keys], "Quiet": True},
            )
        )
        if errors := [e for e in reply.get("Errors", []) if e.get("Code") != "NoSuchKey"]:
            first = errors[0]
            raise StorageError(
                f"{self}: {len(errors)} of {len(keys)} objects could not be deleted; "
                f"{first.get('Key')}: {first.get('Code')} {first.get('Message')}"
            )

    async def drop_unfinished(self, older_than_s: float) -> int:
        """Abort multipart uploads that began so long ago."""
        begun_before = datetime.now(UTC) - timedelta(seconds=older_than_s)
        return await self.calls.run(lambda s3: _abort_uploads(s3, self._bucket, begun_before))

    async def read(self, key: str) -> AsyncIterator[bytes]:
        """The object, a mebibyte at a time."""
        reply = await self.calls.run(
            lambda s3: s3.get_object(Bucket=self._bucket, Key=checked_key(key))
        )
        body = reply["Body"]
        try:
            while chunk := await self.calls.run(lambda _: body.read(_READ_BYTES)):
                yield chunk
        finally:
            body.close()

    def sign_put(
        self, key: str, *, origin: str, size_bytes: int, content_type: str, expires_s: float
    ) -> SignedRequest:
        """See Storage; `origin` is ours, and not in the way."""
        del origin
        url = self._signed(
            "put_object",
            {
                "Bucket": self._bucket,
                "Key": checked_key(key),
                "ContentLength": size_bytes,
                "ContentType": content_type,
                "IfNoneMatch": "*",
            },
            expires_s,
        )
        return SignedRequest(
            url=url,
            headers={
                "Content-Length": str(size_bytes),
                "Content-Type": content_type,
                "If-None-Match": "*",
            },
        )

    def sign_get(self, key: str, *, origin: str, delivery: Delivery, expires_s: float) -> str:
        """See Storage. S3's URLs say their expiry in X-Amz-*, which the official SDK does not read."""
        del origin
        return self._signed(
            "get_object",
            {
                "Bucket": self._bucket,
                "Key": checked_key(key),
                "ResponseContentType": delivery.content_type,
                "ResponseContentDisposition": content_disposition(delivery),
            },
            expires_s,
        )

    def _signed(
        self,
        operation: Literal["get_object", "put_object"],
        params: dict[str, Any],
        expires_s: float,
    ) -> str:
        try:
            return self.signer.generate_presigned_url(
                operation, Params=params, ExpiresIn=_lifetime_s(expires_s)
            )
        except BotoCoreError as error:  # credentials of a role that could not be had
            raise StorageError(f"{self}: nothing can be signed: {error}") from error

    def local_path(self, key: str) -> Path | None:
        """None: it is no file of this machine."""
        del key

    @property
    def _bucket(self) -> str:
        return self.calls.place.bucket


def _lifetime_s(expires_s: float) -> int:
    return max(1, min(int(expires_s), _MAX_LIFETIME_S))


def _abort_uploads(s3: "S3Client", bucket: str, begun_before: datetime) -> int:
    dropped = 0
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        for upload in page.get("Uploads", []):
            key, upload_id = upload.get("Key"), upload.get("UploadId")
            begun = upload.get("Initiated")
            if key and upload_id and begun and begun < begun_before:
                try:
                    s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload_id)
                except s3.exceptions.NoSuchUpload:  # ended meanwhile
                    continue
                dropped += 1
    return dropped
