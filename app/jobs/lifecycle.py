"""What an executor may do: claim a job, put its outputs, report what happens.

Every write is fenced by the epoch of its token. A refused one is explained by a read afterwards,
which decides nothing: the row already did.
"""

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import assert_never
from uuid import UUID

from app.assets.media import clean_basename, content_type_of
from app.assets.models import NewOutput
from app.assets.repository.outputs import NameTakenError, NoRoomError, OutputRepository
from app.config import Settings
from app.errors import AppError
from app.events.feed import Feed
from app.ids import uuid7
from app.jobs.models import Moved
from app.jobs.repository.queries import JobQueries
from app.jobs.repository.transitions import Fence, TransitionRepository
from app.jobs.transitions import Status
from gpu_functions.contract import (
    MAX_THUMBNAIL_BYTES,
    RETRY_CLASS,
    Canceled,
    EventBatch,
    EventReply,
    Failed,
    Failure,
    FailureCode,
    Interrupted,
    Log,
    OutputGrant,
    OutputRegistration,
    OutputStored,
    RetryClass,
    Succeeded,
    Transition,
)
from storage.protocol import Storage

log = logging.getLogger(__name__)

MAX_NAME_SUFFIX = 1_000
INTERRUPTED_TOO_OFTEN = Failure(
    code=FailureCode.INTERRUPTED,
    message="The job was interrupted more often than it may be started again.",
)


class StopError(Exception):
    """The run no longer counts: its job has ended or was given to another."""


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Executors' side of a job."""

    transitions: TransitionRepository
    queries: JobQueries
    outputs: OutputRepository
    storage: Storage
    feed: Feed
    settings: Settings
    files_origin: str

    async def take(self, fence: Fence, batch: EventBatch) -> EventReply:
        """Take a batch in order.

        Raises:
            AppError: 409 `stale_epoch`, 409 `event_gap` with the number expected, 422.
        """
        moved: Moved | None = None
        try:
            for numbered in batch.transitions:
                moved = await self._transition(fence, numbered.client_seq, numbered.event)
            if _ends(batch):
                cancel = False
            elif moved is None or batch.progress or batch.preview:
                cancel = await self._sign_of_life(fence, batch)
            else:
                cancel = moved.cancel  # it renewed the lease as well: half the statements
        except StopError:
            return EventReply(stop=True, lease_s=self.settings.lease_s)
        return EventReply(cancel=cancel, lease_s=self.settings.lease_s)

    async def register_output(self, fence: Fence, output: OutputRegistration) -> OutputGrant:
        """A write-once place for one output file.

        Raises:
            AppError: 409 `stale_epoch`, 422 `output_limit`.
        """
        if output.size_bytes > self.storage.max_put_bytes:
            raise AppError(
                422,
                "output_limit",
                f"Storage takes files of at most {self.storage.max_put_bytes} bytes.",
            )
        asset_id = uuid7()
        if output.thumbnail_of is None:
            name = clean_basename(output.name)
            content_type = content_type_of(name)
            new = NewOutput(output.node_id, name, output.kind, content_type, output.size_bytes)
        else:
            new = await self._thumbnail(fence, output.thumbnail_of, output)
        key = await self._reserve(fence, asset_id, new)
        signed = self.storage.sign_put(
            key,
            origin=self.files_origin,
            size_bytes=output.size_bytes,
            content_type=new.content_type,
            expires_s=self.settings.url_expires_s,
        )
        return OutputGrant(asset_id=asset_id, url=signed.url, headers=signed.headers)

    async def _thumbnail(self, fence: Fence, of: UUID, output: OutputRegistration) -> NewOutput:
        if output.size_bytes > MAX_THUMBNAIL_BYTES:
            raise AppError(
                422, "output_limit", f"A thumbnail may have {MAX_THUMBNAIL_BYTES} bytes."
            )
        if await self.outputs.registered(fence.job_id, fence.epoch, of) is None:
            raise _not_registered()
        name = f"thumbnail-{of}.webp"
        return NewOutput(output.node_id, name, "thumbnail", "image/webp", output.size_bytes)

    async def _reserve(self, fence: Fence, asset_id: UUID, output: NewOutput) -> str:
        for candidate in _candidates(output.name):
            new = replace(output, name=candidate)
            try:
                key = await self.outputs.register(fence.job_id, fence.epoch, asset_id, new)
            except NameTakenError:
                continue
            except NoRoomError as error:
                raise self._no_room() from error
            if key is None:
                raise _stale_epoch()
            return key
        raise AppError(422, "output_limit", f"Too many outputs are named {output.name!r}.")

    def _no_room(self) -> AppError:
        return AppError(
            422,
            "output_limit",
            f"A job may have {self.settings.max_outputs} outputs of "
            f"{self.settings.max_output_bytes} bytes together.",
        )

    async def _sign_of_life(self, fence: Fence, batch: EventBatch) -> bool:
        progress = batch.progress.model_dump(exclude={"type"}) if batch.progress else None
        kept = await self.transitions.progress(fence, progress)
        if kept is None:
            await self._explain(fence)
            raise StopError
        moved, cancel = kept
        preview = batch.preview.model_dump(exclude={"type"}) if batch.preview else None
        if progress or preview:
            self.feed.news(moved.id, moved.workspace_id, progress=progress, preview=preview)
        return cancel

    async def _transition(self, fence: Fence, client_seq: int, event: Transition) -> Moved | None:
        moved = await self._apply(fence, client_seq, event)
        if moved is None:
            await self._explain(fence, client_seq)
            return None
        self.feed.moved(moved.told())
        _note(moved, event, fence)
        return moved

    async def _apply(self, fence: Fence, client_seq: int, event: Transition) -> Moved | None:
        match event:
            case Log():
                data = event.model_dump(exclude={"type"})
                return await self.transitions.log(fence, client_seq, data)
            case OutputStored():
                return await self._output(fence, client_seq, event)
            case Succeeded():
                return await self.transitions.succeed(fence, client_seq, event.timings_ms)
            case Failed():
                return await self.transitions.fail(
                    fence,
                    client_seq,
                    event.failure.model_dump(mode="json", exclude_none=True),
                    retryable=RETRY_CLASS[event.failure.code] is RetryClass.INFRA
                    and not event.final,
                    backoff_s=self.settings.retry_backoff_s,
                )
            case Canceled():
                return await self.transitions.canceled(fence, client_seq)
            case Interrupted():
                return await self.transitions.interrupt(
                    fence,
                    client_seq,
                    INTERRUPTED_TOO_OFTEN.model_dump(mode="json", exclude_none=True),
                    restarts=event.restarts,
                )
            case _:
                assert_never(event)

    async def _output(self, fence: Fence, client_seq: int, event: OutputStored) -> Moved | None:
        await self._check_stored(fence, event.asset_id)
        if event.thumbnail is not None:
            await self._check_stored(fence, event.thumbnail)
        return await self.transitions.output(
            fence, client_seq, event.asset_id, event.blake3, event.thumbnail
        )

    async def _check_stored(self, fence: Fence, asset_id: UUID) -> None:
        registered = await self.outputs.registered(fence.job_id, fence.epoch, asset_id)
        if registered is None:
            raise _not_registered()
        key, size_bytes = registered
        stored = await self.storage.size(key)
        if stored != size_bytes:
            raise AppError(
                422,
                "output_not_stored",
                f"{size_bytes} bytes were registered, {stored or 'none'} are stored.",
            )

    async def _explain(self, fence: Fence, client_seq: int | None = None) -> None:
        """Why a write was refused: done before (returns), StopError, or 409."""
        standing = await self.queries.standing(fence.job_id)
        if standing is None or standing.epoch != fence.epoch:
            raise _stale_epoch()
        if client_seq is not None and client_seq <= standing.client_seq:
            return  # said before, its answer was lost
        if standing.status is not Status.RUNNING:
            raise StopError
        if client_seq is not None and client_seq != standing.client_seq + 1:
            raise AppError(
                409,
                "event_gap",
                f"Event {standing.client_seq + 1} is missing.",
                details={"expected": standing.client_seq + 1},
            )
        raise AppError(
            422, "event_refused", "This event is not possible now: no cancel was asked for."
        )


def _note(moved: Moved, event: Transition, fence: Fence) -> None:
    """One line for a move that ends a run; its epoch is the run's, not the one after it."""
    said: dict[str, object] = {**moved.ids(), "epoch": fence.epoch, "status": moved.status}
    if isinstance(event, Failed):
        said["code"] = event.failure.code
    if moved.lifetime is not None:
        log.info("job ended", extra={**said, **asdict(moved.lifetime)})
    elif moved.status is not Status.RUNNING:
        log.info("job goes back to the queue", extra=said)


def _ends(batch: EventBatch) -> bool:
    return bool(batch.transitions) and not isinstance(
        batch.transitions[-1].event, (Log, OutputStored)
    )


def _candidates(name: str) -> Iterator[str]:
    stem, dot, extension = name.rpartition(".")
    if not dot:
        stem, extension = name, ""
    yield name
    for n in range(1, MAX_NAME_SUFFIX):
        yield f"{stem} ({n}){dot}{extension}"


def _not_registered() -> AppError:
    return AppError(422, "output_not_registered", "This run registered no such output.")


def _stale_epoch() -> AppError:
    return AppError(
        409, "stale_epoch", "This run no longer counts: the job was given to another or ended."
    )
