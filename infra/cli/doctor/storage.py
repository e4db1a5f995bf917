"""Where files land, and whether they can."""

import shutil
import tempfile
from pathlib import Path
from typing import Final

from app.config import Settings
from app.storage_choice import bucket_of
from infra.cli.doctor.rows import Row, fail, ok, warn
from infra.cli.plain import plain_line
from storage.protocol import StorageError
from storage.s3_place import S3Place

LOW_BYTES: Final = 5 * 10**9
TOO_LOW_BYTES: Final = 5 * 10**8
MOST_SKEW_S: Final = 60.0
"""S3 refuses at 15 minutes; a URL signed by a wrong clock is early or late by as much."""


async def storage(settings: Settings) -> Row:
    """The bucket that is configured, else the folder."""
    place = bucket_of(settings)
    return _folder(settings.state / "storage") if place is None else await _bucket(place)


async def _bucket(place: S3Place) -> Row:
    from storage.s3 import open_s3

    try:
        async with open_s3(place) as bucket:
            await bucket.check()
            skew_s = await bucket.clock_skew_s()
    except StorageError as error:
        return fail("Storage", plain_line(error), "docs/storage.md says what S3_* must hold.")
    if abs(skew_s) > MOST_SKEW_S:
        found = f"{place} works, but our clocks differ by {abs(skew_s):.0f} s"
        return warn("Storage", found, "Set this machine's clock: signed URLs depend on it.")
    return ok("Storage", f"{place} can be written")


def _folder(path: Path) -> Row:
    folder = _existing(path)
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-"):
            pass
    except OSError as error:
        remedy = f"Let this user write to {folder}, or set COMFYBURST_STATE."
        return fail("Storage", f"{folder}: {error.strerror}", remedy)
    free_bytes = shutil.disk_usage(folder).free
    found = f"{folder} is writable, {free_bytes / 1e9:.1f} GB free"
    if free_bytes < TOO_LOW_BYTES:
        return fail("Storage", found, "Make room: uploads and outputs are about to be refused.")
    if free_bytes < LOW_BYTES:
        return warn("Storage", found, "Make room, or shorten COMFYBURST_RETENTION_S.")
    return ok("Storage", found)


def _existing(path: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
