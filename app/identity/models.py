"""Who is calling."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

Scope = Literal["jobs:read", "jobs:write", "workflows:write", "admin"]
ALL_SCOPES: tuple[Scope, ...] = ("jobs:read", "jobs:write", "workflows:write", "admin")


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a request: the workspace comes from the key, never from the request."""

    workspace_id: UUID
    key_id: UUID
    scopes: frozenset[str]

    def may(self, scope: Scope) -> bool:
        """Whether the key carries this scope, or `admin`, which carries all."""
        return scope in self.scopes or "admin" in self.scopes


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is listed: never the key itself."""

    id: UUID
    workspace: str
    name: str
    last_four: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
