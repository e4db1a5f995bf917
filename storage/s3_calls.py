"""How is S3 called? Off the event loop, with bounded patience, and with failures that say what to do."""

import asyncio
import base64
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from storage.protocol import StorageError, StorageFullError
from storage.s3_place import S3Place

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

CONNECTIONS: Final = 16
"""Calls at once: threads, and connections that are kept."""

_CONNECT_S: Final = 5
_READ_S: Final = 30
_ATTEMPTS: Final = 3
_INSUFFICIENT_STORAGE: Final = 507
_TOO_LARGE: Final = frozenset({"EntityTooLarge", "XMinioObjectTooLarge"})
_FULL: Final = frozenset(
    {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded"}
)
_REMEDIES: Final = {
    "NoSuchBucket": "there is no such bucket: create it, or correct its name",
    "AccessDenied": "the key may not do this: grant it what docs/storage.md lists",
    "403": "the key may not do this: grant it what docs/storage.md lists",
    "InvalidAccessKeyId": "the server does not know this access key: correct it",
    "SignatureDoesNotMatch": "the secret does not belong to the access key, or the region is wrong",
    "ExpiredToken": "the credentials have expired: renew them",
    "RequestTimeTooSkewed": "this machine's clock is wrong: set it",
    "AuthorizationHeaderMalformed": "the bucket is in another region: correct the region",
    "PermanentRedirect": "the bucket is in another region: correct the region or the endpoint",
    "301": "the bucket is in another region: correct the region or the endpoint",
}

Result = TypeVar("Result")


class S3Error(StorageError):
    """The server refused; `status` and `code` are its own."""

    def __init__(self, message: str, *, status: int, code: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class S3Calls:
    """One client and its threads. A boto3 client may be used from many threads at once."""

    client: "S3Client"
    place: S3Place
    pool: ThreadPoolExecutor

    async def run(self, call: Callable[["S3Client"], Result]) -> Result:
        """Make a call in one of our threads.

        Raises:
            StorageFullError: there is no room, or the object is larger than the server takes.
            S3Error: the server refused.
            StorageError: no answer.
        """
        return await asyncio.get_running_loop().run_in_executor(self.pool, self._made, call)

    def _made(self, call: Callable[["S3Client"], Result]) -> Result:
        try:
            return call(self.client)
        except ClientError as error:
            raise _refusal(error, self.place) from error
        except NoCredentialsError as error:
            raise StorageError(f"{self.place}: no credentials were found: set them") from error
        except BotoCoreError as error:
            raise StorageError(
                f"{self.place} does not answer: {error}; is it running, and is the endpoint right?"
            ) from error


def make_client(place: S3Place, endpoint_url: str | None) -> "S3Client":
    """A client for one of the names of a place; raises StorageError."""
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": place.addressing},
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        max_pool_connections=CONNECTIONS,
        # Newer SDKs add CRC trailers, which other servers than AWS refuse. We send Content-MD5.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    try:
        client = boto3.client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=place.region,
            aws_access_key_id=place.access_key_id,
            aws_secret_access_key=place.secret_access_key,
            aws_session_token=place.session_token,
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        raise StorageError(f"{place}: {error}") from error
    client.meta.events.register("before-call.s3.DeleteObjects", _add_content_md5)
    return client


def content_md5(body: bytes | memoryview) -> str:
    """As the header wants it: the server refuses bytes that changed on their way."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _add_content_md5(params: dict[str, Any], **_: object) -> None:
    # S3's API requires a checksum here. boto3 sends only a CRC32, which servers older than 2025
    # do not know as one (https://github.com/boto/boto3/issues/4392).
    params["headers"]["Content-MD5"] = content_md5(params["body"])


def _refusal(error: ClientError, place: S3Place) -> StorageError:
    told: Any = error.response
    code = str(told.get("Error", {}).get("Code", ""))
    status = int(told.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if status == _INSUFFICIENT_STORAGE or code in _FULL:
        return StorageFullError(f"{place}: no room left ({code})")
    if code in _TOO_LARGE:
        return StorageFullError(f"{place}: larger than the server takes ({code})")
    remedy = _REMEDIES.get(code)
    return S3Error(f"{place}: {remedy or error} ({error.operation_name})", status=status, code=code)
