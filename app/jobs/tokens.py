"""The three tokens of executors, each signed with a key of its own kind; none opens another door.

claim   {job, dispatch_id}            one GPU call, until the job's start or deadline
events  {job, epoch}                  one run, until the job's deadline + 10 min; the epoch in the
                                      WHERE of every write is what really ends it
worker  {id, workspaces, environments, slots}   one start of a local worker, handed over a pipe
"""

import time
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import jwt

from app.errors import AppError
from app.ids import uuid7
from app.jobs.repository.transitions import Fence
from app.secret import Keyring, Purpose

EVENT_TOKEN_GRACE_S: Final = 600
WORKER_TOKEN_LIFE_S: Final = 30 * 86_400
MAX_TOKEN_LENGTH: Final = 4_096
REMEMBERED_RUNS: Final = 1_000
"""Runs whose token is not verified anew with each of their events."""
_ALGORITHM: Final = "HS256"


@dataclass(frozen=True, slots=True)
class WorkerGrant:
    """What a local worker may ask for."""

    workspaces: list[UUID] | None
    environments: list[str]
    slots: int
    """Jobs it may run at once."""
    worker_id: UUID = field(default_factory=uuid7)
    """Fresh for each start, so that a worker that was killed does not hold slots of the next."""

    def serves_environment(self, name: str) -> bool:
        """Whether it may register and claim for that environment."""
        return name in self.environments


@dataclass(frozen=True, slots=True)
class ClaimGrant:
    """What one GPU call may start."""

    job_id: UUID
    dispatch_id: UUID


@dataclass(frozen=True, slots=True)
class Tokens:
    """Mints and reads them. A token of another kind, altered or expired is 401 `invalid_token`."""

    keyring: Keyring
    _runs: dict[str, tuple[Fence, int]] = field(
        default_factory=dict[str, tuple[Fence, int]], repr=False, compare=False
    )
    """Verified tokens of events: what they grant and until when, in Unix seconds."""

    def worker(self, grant: WorkerGrant) -> str:
        """For a worker that the operator starts."""
        workspaces = [str(w) for w in grant.workspaces] if grant.workspaces is not None else None
        return self._sign(
            "worker token",
            {
                "worker": str(grant.worker_id),
                "workspaces": workspaces,
                "environments": grant.environments,
                "slots": grant.slots,
            },
            WORKER_TOKEN_LIFE_S,
        )

    def read_worker(self, token: str) -> WorkerGrant:
        """The grant of a worker token."""
        claims = self._read("worker token", token)
        workspaces = claims["workspaces"]
        return WorkerGrant(
            workspaces=None if workspaces is None else [UUID(w) for w in workspaces],
            environments=claims["environments"],
            slots=claims["slots"],
            worker_id=UUID(claims["worker"]),
        )

    def claim(self, grant: ClaimGrant, life_s: float) -> str:
        """For one call of a GPU function."""
        return self._sign(
            "claim token", {"job": str(grant.job_id), "dispatch": str(grant.dispatch_id)}, life_s
        )

    def read_claim(self, token: str) -> ClaimGrant:
        """The grant of a claim token."""
        claims = self._read("claim token", token)
        return ClaimGrant(UUID(claims["job"]), UUID(claims["dispatch"]))

    def events(self, fence: Fence, deadline_in_s: float) -> str:
        """For one run of one job."""
        return self._sign(
            "event token",
            {"job": str(fence.job_id), "epoch": fence.epoch},
            deadline_in_s + EVENT_TOKEN_GRACE_S,
        )

    def read_events(self, token: str) -> Fence:
        """The fence of an event token."""
        fence, expires_at = self._runs.get(token) or self._read_run(token)
        if expires_at <= time.time():
            raise _invalid_token()
        return fence

    def _read_run(self, token: str) -> tuple[Fence, int]:
        claims = self._read("event token", token)
        if len(self._runs) >= REMEMBERED_RUNS:
            self._runs.pop(next(iter(self._runs)))
        run = self._runs[token] = Fence(UUID(claims["job"]), claims["epoch"]), claims["exp"]
        return run

    def _sign(self, purpose: Purpose, claims: dict[str, Any], life_s: float) -> str:
        return jwt.encode(
            {**claims, "aud": purpose, "exp": int(time.time() + life_s)},
            self.keyring.key(purpose),
            algorithm=_ALGORITHM,
        )

    def _read(self, purpose: Purpose, token: str) -> dict[str, Any]:
        try:
            if len(token) > MAX_TOKEN_LENGTH:
                raise _invalid_token()
            return jwt.decode(
                token,
                self.keyring.key(purpose),
                algorithms=[_ALGORITHM],
                audience=purpose,
                options={"require": ["exp", "aud"]},
            )
        except jwt.InvalidTokenError as error:
            raise _invalid_token() from error


def _invalid_token() -> AppError:
    return AppError(
        401,
        "invalid_token",
        "This token is not valid here.",
        headers={"WWW-Authenticate": "Bearer"},
    )
