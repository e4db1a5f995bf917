"""Rules about keys: making, checking with a short cache, revoking."""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from app.errors import AppError
from app.identity.keys import hash_key, is_well_formed, make_key
from app.identity.models import ALL_SCOPES, Principal, Scope
from app.identity.repository import IdentityRepository

CACHE_S: Final = 30.0
CACHE_ENTRIES: Final = 10_000
TOUCH_S: Final = 60.0
LIVES_S: Final = 1.0
"""A thousand streams of one key ask together, once in so long."""
_WORKSPACE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class IdentityService:
    """Who may come in.

    A principal is cached in this process only while `invalidations_arrive()` says that a revoke
    elsewhere would be heard within a second (DESIGN §10); else every request asks the database.
    """

    repository: IdentityRepository
    invalidations_arrive: Callable[[], bool]
    _touched: dict[UUID, float] = field(default_factory=dict[UUID, float])
    _cache: dict[bytes, tuple[float, Principal]] = field(
        default_factory=dict[bytes, tuple[float, Principal]]
    )
    _lives: dict[UUID, tuple[float, "asyncio.Task[bool]"]] = field(
        default_factory=dict[UUID, tuple[float, "asyncio.Task[bool]"]]
    )

    async def authenticate(self, key: str) -> Principal:
        """The caller of that key.

        Raises:
            AppError: 401 `unauthorized`, one for all reasons.
        """
        if not is_well_formed(key):
            raise _unauthorized()
        key_hash = hash_key(key)
        cached = self._cache.get(key_hash)
        if cached and cached[0] > time.monotonic() and self.invalidations_arrive():
            return cached[1]
        principal = await self.repository.principal(key_hash)
        if principal is None:
            self._cache.pop(key_hash, None)
            raise _unauthorized()
        await self._touch(principal.key_id)
        if len(self._cache) >= CACHE_ENTRIES:
            self._cache.clear()
        self._cache[key_hash] = (time.monotonic() + CACHE_S, principal)
        return principal

    async def _touch(self, key_id: UUID) -> None:
        now = time.monotonic()
        if now - self._touched.get(key_id, -TOUCH_S) >= TOUCH_S:
            self._touched[key_id] = now
            await self.repository.touch(key_id)

    async def still_good(self, principal: Principal) -> bool:
        """Asked every few seconds by open streams and long polls."""
        fresh_until, question = self._lives.get(principal.key_id, (0.0, None))
        if question is None or time.monotonic() >= fresh_until:
            if len(self._lives) >= CACHE_ENTRIES:
                self._lives.clear()
            question = asyncio.create_task(self.repository.key_lives(principal.key_id))
            question.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._lives[principal.key_id] = time.monotonic() + LIVES_S, question
        # Of whoever asks, none takes the statement away from the others by leaving.
        return await asyncio.shield(question)

    def forget(self) -> None:
        """Drop the cache: a key was revoked somewhere."""
        self._cache.clear()
        self._lives.clear()

    async def create_key(
        self, workspace: str, name: str, scopes: Sequence[Scope] = ALL_SCOPES
    ) -> tuple[str, UUID]:
        """Make a key, and its workspace where it does not exist; the key is returned only here.

        Raises:
            AppError: 422 `invalid_workspace_name`.
        """
        if not _WORKSPACE_NAME.fullmatch(workspace):
            raise AppError(
                422,
                "invalid_workspace_name",
                f"{workspace!r} cannot name a workspace: use a-z, 0-9 and '-', at most 63.",
            )
        workspace_id, _ = await self.repository.ensure_workspace(workspace)
        key = make_key()
        await self.repository.create_key(workspace_id, name, hash_key(key), key[-4:], scopes)
        return key, workspace_id


def _unauthorized() -> AppError:
    return AppError(
        401,
        "unauthorized",
        "No valid API key was given. Send `Authorization: Bearer cb_…`; "
        "`comfyburst keys create` makes one.",
        headers={"WWW-Authenticate": "Bearer"},
    )
