"""Running a job again that has ended: a new job with `retry_of`, whatever became of the old one."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from app.assets.repository.assets import AssetRepository
from app.config import Settings
from app.errors import AppError, NotFoundError
from app.events.feed import Feed
from app.ids import uuid7
from app.jobs.capacity import WaitingRoom
from app.jobs.dispatch.routing import Choice, choose_backend
from app.jobs.idempotency import Replays, check_key
from app.jobs.models import Job, JobFilter
from app.jobs.repository.queries import JobQueries
from app.jobs.repository.retrying import NewRetry, Old, RetryRepository
from app.jobs.secrets import SecretBox
from app.workflows.environments.service import EnvironmentService

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retried:
    """A new job, and the one it repeats."""

    job_id: UUID
    retry_of: UUID


@dataclass(frozen=True, slots=True)
class RetryService:
    """Retries, one by one and many at once."""

    repository: RetryRepository
    queries: JobQueries
    assets: AssetRepository
    environments: EnvironmentService
    replays: Replays
    room: WaitingRoom
    secrets: SecretBox
    feed: Feed
    wake: Callable[[str], None]
    settings: Settings

    async def retry(
        self,
        workspace_id: UUID,
        job_id: UUID,
        partner_keys: dict[str, str],
        idempotency_key: str | None,
    ) -> tuple[Job, bool]:
        """The new job, and whether it is that of an earlier request with the same key.

        Raises:
            NotFoundError: there is no such job
            AppError: 400 `invalid_request`, 409 `job_not_ended`, 422 `missing_asset`, `backend_unavailable`,
                `idempotency_key_reuse`, 429 `queue_full`.
        """
        check_key(idempotency_key)
        new_id = await self._again(workspace_id, job_id, partner_keys, idempotency_key)
        if new_id is not None:
            return await self._job(workspace_id, new_id), False
        assert idempotency_key is not None, "only a key that is taken keeps a retry out"
        earlier = await self.replays.earlier(workspace_id, idempotency_key, _hash(job_id))
        return earlier, True

    async def retry_all(
        self, workspace_id: UUID, wanted: JobFilter, codes: list[str] | None, limit: int
    ) -> list[Retried]:
        """Retry what was not retried yet, oldest first; again and again it ends with nothing.

        A job that cannot be run any more (its files or its environment are gone) is passed over.

        Raises:
            AppError: 429 `queue_full`, unless some were retried before the queue was full.
        """
        retried: list[Retried] = []
        for job_id in await self.repository.candidates(workspace_id, wanted, codes, limit):
            try:
                # A key of its own: two that ask for the same at once retry each job once.
                new_id = await self._again(workspace_id, job_id, {}, f"retry:{job_id}")
            except AppError as error:
                if error.code == "queue_full":
                    if not retried:
                        raise
                    break
                log.info("not retried: %s", error, extra={"job_id": job_id})
                continue
            if new_id is not None:
                retried.append(Retried(new_id, job_id))
        return retried

    async def _again(
        self,
        workspace_id: UUID,
        job_id: UUID,
        partner_keys: dict[str, str],
        idempotency_key: str | None,
    ) -> UUID | None:
        try:
            choice = await self._possible(workspace_id, job_id)
            await self.room.enter(workspace_id)
        except AppError:
            if await self.replays.knows(workspace_id, idempotency_key):
                return None
            raise
        new_id = uuid7()
        moved = await self.repository.retry(
            NewRetry(
                id=new_id,
                of=job_id,
                workspace_id=workspace_id,
                backend=choice.backend,
                backend_reason=choice.reason,
                start_within_s=self.settings.start_within_s,
                retention_s=self.settings.retention_s,
                idempotency_key=idempotency_key,
                request_hash=_hash(job_id) if idempotency_key else None,
                secrets=self.secrets.seal(new_id, partner_keys),
            )
        )
        if moved is None:
            return None
        self.feed.moved(moved.told())
        self.wake(choice.backend)
        log.info("job retried", extra={**moved.ids(), "retry_of": job_id})
        return new_id

    async def _possible(self, workspace_id: UUID, job_id: UUID) -> Choice:
        """Where the job can run now, its files still there."""
        old = await self.repository.old(workspace_id, job_id)
        if old is None:
            await self._job(workspace_id, job_id)
            raise AppError(
                409,
                "job_not_ended",
                "This job has not ended. Cancel it first, or wait for its end.",
            )
        await self._check_files(workspace_id, old)
        environment, _ = await self.environments.get(old.environment)
        return choose_backend(old.environment, environment, workspace_id)

    async def _check_files(self, workspace_id: UUID, old: Old) -> None:
        found = await self.assets.by_ids(workspace_id, old.asset_ids) if old.asset_ids else {}
        missing = sorted({str(i) for i in old.asset_ids if i not in found})
        if missing:
            raise AppError(
                422,
                "missing_asset",
                f"Files of this job are not there any more: {', '.join(missing[:10])}. Upload them "
                "and submit the workflow anew.",
                details={"missing_ids": missing, "missing_paths": []},
            )

    async def _job(self, workspace_id: UUID, job_id: UUID) -> Job:
        job = await self.queries.get(workspace_id, job_id)
        if job is None:
            raise NotFoundError("job")
        return job


def _hash(job_id: UUID) -> bytes:
    return hashlib.sha256(f"retry of {job_id}".encode()).digest()
