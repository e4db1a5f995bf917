"""How do bytes get into S3? Small objects in one request, larger ones in parts, never more in memory."""

import logging
import secrets
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Final

from storage.protocol import StorageError, StorageFullError
from storage.s3_calls import S3Calls, S3Error, content_md5

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import CompletedPartTypeDef

log = logging.getLogger(__name__)

PART_BYTES: Final = 8 << 20
"""S3 wants 5 MiB at least, and R2 wants all parts but the last of one size."""

MAX_PARTS: Final = 10_000
_MARK: Final = "upload"
_EXISTS: Final = frozenset({HTTPStatus.PRECONDITION_FAILED, HTTPStatus.CONFLICT})


@dataclass(slots=True)
class S3Upload:
    """Holds one part at most. Nothing is visible until commit."""

    calls: S3Calls
    key: str
    _part: BytesIO = field(default_factory=BytesIO)
    _parts: "list[CompletedPartTypeDef]" = field(default_factory=list["CompletedPartTypeDef"])
    _upload_id: str | None = None
    # An answer may be lost after the object was made, and the repeated call then finds it there:
    # the mark says whose it is.
    _mark: str = field(default_factory=lambda: secrets.token_hex(16))

    async def write(self, chunk: bytes) -> None:
        """Append; sends a part whenever one is full and more follows."""
        view = memoryview(chunk)
        while view:
            if self._part.tell() == PART_BYTES:
                await self._send_part()
            view = view[self._part.write(view[: PART_BYTES - self._part.tell()]) :]

    async def commit(self) -> bool:
        """Make the object; False where the key exists, and nothing changes."""
        try:
            if self._upload_id is None:
                await self._put()
            else:
                await self._complete(self._upload_id)
        except S3Error as error:
            if error.status in _EXISTS or error.code == "NoSuchUpload":
                return await self._is_ours(error)
            raise
        self._upload_id = None
        return True

    async def abort(self) -> None:
        """Forget the parts that were sent; what cannot be forgotten now is dropped later."""
        self._part = BytesIO()
        upload_id, self._upload_id = self._upload_id, None
        if upload_id is None:
            return
        try:
            await self.calls.run(
                lambda s3: s3.abort_multipart_upload(
                    Bucket=self.calls.place.bucket, Key=self.key, UploadId=upload_id
                )
            )
        except StorageError as error:
            log.warning("an upload could not be aborted, its parts are dropped later: %s", error)

    async def _put(self) -> None:
        body = self._take_part()
        await self.calls.run(
            lambda s3: s3.put_object(
                Bucket=self.calls.place.bucket,
                Key=self.key,
                Body=body,
                ContentMD5=content_md5(body.getbuffer()),
                IfNoneMatch="*",
                Metadata={_MARK: self._mark},
            )
        )

    async def _complete(self, upload_id: str) -> None:
        if self._part.tell():
            await self._send_part()
        await self.calls.run(
            lambda s3: s3.complete_multipart_upload(
                Bucket=self.calls.place.bucket,
                Key=self.key,
                UploadId=upload_id,
                MultipartUpload={"Parts": self._parts},
                IfNoneMatch="*",
            )
        )

    async def _send_part(self) -> None:
        number = len(self._parts) + 1
        if number > MAX_PARTS:
            raise StorageFullError(f"{self.calls.place}: over {MAX_PARTS} parts in one upload")
        upload_id = self._upload_id = self._upload_id or await self._begin()
        body = self._take_part()
        sent = await self.calls.run(
            lambda s3: s3.upload_part(
                Bucket=self.calls.place.bucket,
                Key=self.key,
                UploadId=upload_id,
                PartNumber=number,
                Body=body,
                ContentMD5=content_md5(body.getbuffer()),
            )
        )
        self._parts.append({"PartNumber": number, "ETag": sent["ETag"]})

    def _take_part(self) -> BytesIO:
        body, self._part = self._part, BytesIO()
        body.seek(0)
        return body

    async def _begin(self) -> str:
        begun = await self.calls.run(
            lambda s3: s3.create_multipart_upload(
                Bucket=self.calls.place.bucket, Key=self.key, Metadata={_MARK: self._mark}
            )
        )
        return begun["UploadId"]

    async def _is_ours(self, refusal: S3Error) -> bool:
        """Whether the object that is there was made by an earlier try of this commit."""
        try:
            found = await self.calls.run(
                lambda s3: s3.head_object(Bucket=self.calls.place.bucket, Key=self.key)
            )
        except S3Error as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise refusal from error
            raise
        if found["Metadata"].get(_MARK) != self._mark:
            await self.abort()
            return False
        self._upload_id = None
        return True
