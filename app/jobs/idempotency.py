"""Idempotency keys of requests that make a job: what is a key, and what its second use is answered."""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from app.errors import AppError
from app.jobs.models import Job
from app.jobs.repository.queries import JobQueries

MAX_KEY_LENGTH: Final = 255


def check_key(key: str | None) -> None:
    """Raises AppError 400 `invalid_request`."""
    if key is not None and not 0 < len(key) <= MAX_KEY_LENGTH:
        raise AppError(400, "invalid_request", "Idempotency-Key: 1 to 255 characters.")


@dataclass(frozen=True, slots=True)
class Replays:
    """Answers a key that was taken."""

    queries: JobQueries
    mode: Literal["replay", "reject"]

    async def knows(self, workspace_id: UUID, key: str | None) -> bool:
        """Whether a job was made with it: then what keeps a new job out says nothing to its request."""
        return bool(key and await self.queries.by_idempotency_key(workspace_id, key))

    async def earlier(self, workspace_id: UUID, key: str, request_hash: bytes) -> Job:
        """The job that the same request with this key made.

        Raises:
            AppError: 422 `idempotency_key_reuse`, 503 where the key was freed meanwhile.
        """
        earlier = await self.queries.by_idempotency_key(workspace_id, key)
        if earlier is None:
            raise AppError(
                503, "upstream_error", "Try again shortly.", headers={"Retry-After": "1"}
            )
        job, earlier_hash = earlier
        if self.mode == "reject" or earlier_hash != request_hash:
            raise AppError(
                422,
                "idempotency_key_reuse",
                "This Idempotency-Key has been used; its job is named in the details.",
                details={"job_id": str(job.id)},
            )
        return job
