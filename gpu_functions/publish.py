"""Outputs of one run: uploaded as they appear, reported in the order they appeared."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from gpu_functions.comfyui.client import ComfyUnreachableError
from gpu_functions.comfyui.outputs import OutputFile, UniqueNames, UnsafePathError, list_outputs
from gpu_functions.comfyui.process import Running
from gpu_functions.contract import (
    FailureCode,
    Log,
    OutputGrant,
    OutputRegistration,
    OutputStored,
    Ticket,
    is_own_thumbnail,
)
from gpu_functions.events import EventSender
from gpu_functions.front_door import (
    FrontDoor,
    RefusedError,
    StaleEpochError,
    StorageFullError,
    UnavailableError,
    patiently,
)
from gpu_functions.media.files import CannotStripError
from gpu_functions.transfer import (
    NoRoomError,
    Source,
    Transfer,
    TransferError,
    open_output,
    without_metadata,
)

log = logging.getLogger(__name__)

_AT_ONCE = 4
_OVER = (401, 403, 404)


class PublishError(Exception):
    """An output could not be stored; the message is for the job's owner. `final`: nor will it be."""

    def __init__(
        self,
        message: str,
        code: FailureCode = FailureCode.OUTPUT_UPLOAD,
        *,
        final: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.final = final


@dataclass(slots=True)
class OutputPublisher:
    """Takes what nodes put out; each file once, however often it is named."""

    ticket: Ticket
    front_door: FrontDoor
    transfer: Transfer
    sender: EventSender
    running: Running
    patience_s: Callable[[], float]
    """Seconds an outage of the front door may still last."""
    _seen: set[OutputFile] = field(default_factory=set[OutputFile])
    _names: UniqueNames = field(default_factory=UniqueNames)
    _uploads: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    def offer(self, node_id: str, ui: object) -> None:
        """Start uploading what is new in a node's ui output."""
        for output in list_outputs(node_id, ui):
            if output in self._seen:
                continue
            self._seen.add(output)
            before = self._uploads[-1] if self._uploads else None
            self._uploads.append(asyncio.create_task(self._publish(output, before)))

    async def finish(self) -> None:
        """Wait until everything offered is stored and reported. Raises PublishError."""
        await asyncio.gather(*self._uploads)

    async def close(self) -> None:
        """Drop what is not finished."""
        for upload in self._uploads:
            upload.cancel()
        await asyncio.gather(*self._uploads, return_exceptions=True)

    @property
    def files(self) -> list[OutputFile]:
        """Every file that was offered."""
        return [output for output in self._seen if output.text is None]

    async def _publish(self, output: OutputFile, before: asyncio.Task[None] | None) -> None:
        async with self._slots:
            stored = await self._store(output)
        if before is not None:
            await asyncio.wait({before})
        if stored is not None:
            self.sender.add(stored)

    async def _store(self, output: OutputFile) -> OutputStored | None:
        try:
            async with open_output(self.running, output) as source:
                if not self.ticket.strip_metadata:
                    return await self._upload(output, source)
                async with without_metadata(self.running, output, source) as stripped:
                    return await self._upload(output, stripped)
        except FileNotFoundError as error:
            if output.optional:
                return None
            raise PublishError(f"{output.filename!r} is not there any more.") from error
        except CannotStripError as error:
            raise PublishError(
                f"{output.filename!r} was not published: this job strips metadata, and that of this "
                f"file cannot be stripped, because {error}.",
                final=True,
            ) from error
        except (NoRoomError, StorageFullError) as error:
            message = f"{output.filename!r} was not stored: {error}"
            raise PublishError(message, FailureCode.STORAGE_FULL) from error
        except (UnsafePathError, TransferError, ComfyUnreachableError, UnavailableError) as error:
            raise PublishError(f"{output.filename!r} was not stored: {error}") from error

    async def _upload(self, output: OutputFile, source: Source) -> OutputStored | None:
        registration = OutputRegistration(
            node_id=output.node_id,
            name=self._names.take(output.filename),
            kind=output.kind,
            content_type=output.content_type,
            size_bytes=source.size_bytes,
        )
        started = time.monotonic()
        making = asyncio.create_task(self._make_thumbnail(output, source))
        try:
            grant, digest = await self.transfer.put_output(
                source, partial(self._register, registration)
            )
            thumbnail = await self._put_thumbnail(output, grant.asset_id, await making)
        except RefusedError as refusal:
            self._refused(output, refusal)
            return None
        except StaleEpochError:
            self.sender.abandon()
            return None
        finally:
            making.cancel()
        about: dict[str, object] = {
            "asset_id": grant.asset_id,
            "size_bytes": source.size_bytes,
            "duration_ms": round((time.monotonic() - started) * 1000),
            "untrusted": registration.name,
        }
        log.info("output stored", extra=about)
        return OutputStored(asset_id=grant.asset_id, blake3=digest, thumbnail=thumbnail)

    async def _make_thumbnail(self, output: OutputFile, source: Source) -> bytes | None:
        media, kind = self.running.media, output.kind
        if media is None or source.file is None or kind not in ("image", "video"):
            return None
        if is_own_thumbnail(output.content_type, source.size_bytes):
            return None
        return await media.thumbnail(source.file, source.size_bytes, kind)

    async def _put_thumbnail(
        self, output: OutputFile, of: UUID, content: bytes | None
    ) -> UUID | None:
        """Store a thumbnail; an output is whole without one."""
        if content is None:
            return None
        registration = OutputRegistration(
            node_id=output.node_id,
            name="thumbnail.webp",
            kind="image",
            content_type="image/webp",
            size_bytes=len(content),
            thumbnail_of=of,
        )
        try:
            grant, _ = await self.transfer.put_output(
                Source(len(content), data=content), partial(self._register, registration)
            )
        except (RefusedError, TransferError, UnavailableError) as error:
            log.warning("a thumbnail was not stored: %s", error)
            return None
        return grant.asset_id

    async def _register(self, registration: OutputRegistration) -> OutputGrant:
        call = partial(
            self.front_door.register_output,
            self.ticket.job_id,
            self.ticket.event_token,
            registration,
        )
        try:
            return await call()
        except StorageFullError:
            raise
        except UnavailableError:
            return await patiently(call, give_up_after_s=self.patience_s())

    def _refused(self, output: OutputFile, refusal: RefusedError) -> None:
        if refusal.status in _OVER:
            self.sender.abandon()
            return
        # A limit was reached: the job can still finish with what it has (security.md §6, 18).
        message = f"Output {output.filename!r} was not kept: {refusal.message}"
        self.sender.add(Log(level="warning", message=message[:1_000]))
