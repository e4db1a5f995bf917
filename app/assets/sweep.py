"""The duty that leaves no asset past its time and no bytes without an owner."""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from app.assets.repository.sweeping import BATCH, SweepRepository
from storage.protocol import Storage, StorageError

log = logging.getLogger(__name__)

DROP_UNFINISHED_EVERY_S: Final = 3_600.0


@dataclass(slots=True)
class AssetSweep:
    """A duty. Two of them at once do no harm: rows are locked and skipped."""

    repository: SweepRepository
    storage: Storage
    every_s: float
    name: str = "sweep assets"
    _dropped_at: float = field(default=float("-inf"))

    async def run(self, holder: str) -> None:
        """Everything that is due, in batches."""
        del holder
        expired = await _all(self.repository.expired)
        unpublished = await _all(self.repository.unpublished)
        blobs = await _all(self.repository.loose)
        try:
            objects = await self._objects()
            unfinished = await self._unfinished()
        except StorageError as error:
            log.warning("storage cannot be swept now: %s", error)
            return
        swept = {
            "expired_assets": expired,
            "unpublished_outputs": unpublished,
            "blobs": blobs,
            "objects": objects,
            "unfinished_uploads": unfinished,
        }
        if any(swept.values()):
            log.info("files swept", extra=swept)

    async def _objects(self) -> int:
        count = 0
        while keys := await self.repository.to_delete():
            await self.storage.delete(keys)
            await self.repository.deleted(keys)
            count += len(keys)
        return count

    async def _unfinished(self) -> int:
        if time.monotonic() - self._dropped_at < min(
            DROP_UNFINISHED_EVERY_S, self.repository.after_s
        ):
            return 0
        count = await self.storage.drop_unfinished(self.repository.after_s)
        self._dropped_at = time.monotonic()
        return count


async def _all(sweep: Callable[[], Awaitable[int]]) -> int:
    total = 0
    while True:
        swept = await sweep()
        total += swept
        if swept < BATCH:
            return total
