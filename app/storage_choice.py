"""Where do the files go? Into a bucket where the settings name one, else into a folder."""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from pydantic import SecretStr

from app.config import Settings
from app.secret import Keyring
from storage.local import LocalStorage
from storage.protocol import Storage, StorageError
from storage.s3_place import S3Place

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_storage(settings: Settings, keyring: Keyring) -> AsyncGenerator[Storage]:
    """The storage of these settings, until the block ends."""
    place = bucket_of(settings)
    if place is None:
        yield LocalStorage(settings.state / "storage", keyring.key("signed url"))
        return
    # Here, since boto3 costs half a second and 25 MB.
    from storage.s3 import open_s3

    async with open_s3(place) as storage:
        yield storage


def bucket_of(settings: Settings) -> S3Place | None:
    """The bucket that the settings name."""
    if not settings.s3_bucket:
        return None
    return S3Place(
        bucket=settings.s3_bucket,
        endpoint_url=settings.s3_endpoint_url or None,
        public_endpoint_url=settings.s3_public_endpoint_url or None,
        region=settings.s3_region,
        access_key_id=settings.aws_access_key_id or None,
        secret_access_key=_text(settings.aws_secret_access_key),
        session_token=_text(settings.aws_session_token),
        addressing=settings.s3_addressing,
    )


async def say_where(storage: Storage) -> None:
    """Log where the files go, or why they cannot: a front door starts without its storage too."""
    try:
        await storage.check()
    except StorageError as error:
        log.error("files cannot be stored now: %s", error)  # noqa: TRY400 - the message is enough
    else:
        log.info("files are kept in %s", storage)


def _text(secret: SecretStr | None) -> str | None:
    return (secret.get_secret_value() or None) if secret else None
