"""SQL of workspaces and API keys."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from app.db.postgres import Database
from app.identity.models import ApiKey, Principal, Scope
from app.ids import uuid7

_PRINCIPAL = """
select id, workspace_id, scopes from app.api_keys
where hash = %(hash)s and revoked_at is null and (expires_at is null or expires_at > now())
"""
_KEY_LIVES = """
select 1 as lives from app.api_keys
where id = %(id)s and revoked_at is null and (expires_at is null or expires_at > now())
"""
_TOUCH = """
update app.api_keys set last_used_at = now()
where id = %(id)s and (last_used_at is null or last_used_at < now() - interval '1 minute')
"""
_WORKSPACE = """
with made as (
    insert into app.workspaces (id, name) values (%(id)s, %(name)s)
    on conflict (name) do nothing returning id
), turns as (
    insert into app.workspace_turns (workspace_id, backend)
    select id, backend from made, unnest(array['local', 'modal']) backend
)
select id, true as made from made
union all
select id, false from app.workspaces where name = %(name)s
limit 1
"""
_WORKSPACE_ID = "select id from app.workspaces where name = %(name)s"
_CREATE = """
insert into app.api_keys (id, workspace_id, name, hash, last_four, scopes)
values (%(id)s, %(workspace_id)s, %(name)s, %(hash)s, %(last_four)s, %(scopes)s)
"""
_LIST = """
select k.id, w.name as workspace, k.name, k.last_four, k.scopes, k.created_at, k.expires_at,
       k.last_used_at, k.revoked_at
from app.api_keys k join app.workspaces w on w.id = k.workspace_id
where %(workspace)s::text is null or w.name = %(workspace)s
order by w.name, k.id
"""
_REVOKE = """
update app.api_keys set revoked_at = coalesce(revoked_at, now()) where id = %(id)s returning id
"""


@dataclass(frozen=True, slots=True)
class IdentityRepository:
    """Workspaces and keys."""

    database: Database

    async def principal(self, key_hash: bytes) -> Principal | None:
        """Whose key this is, unless it is unknown, revoked or expired."""
        row = await self.database.one(_PRINCIPAL, {"hash": key_hash})
        if row is None:
            return None
        return Principal(row["workspace_id"], row["id"], frozenset(row["scopes"]))

    async def key_lives(self, key_id: UUID) -> bool:
        """Whether the key is still good: asked again by open streams."""
        return await self.database.one(_KEY_LIVES, {"id": key_id}) is not None

    async def touch(self, key_id: UUID) -> None:
        """Record the use of a key, once a minute at most."""
        await self.database.run(_TOUCH, {"id": key_id})

    async def ensure_workspace(self, name: str) -> tuple[UUID, bool]:
        """The workspace of that name, and whether it was made now."""
        for _ in range(3):  # a parallel insert may be committed between the two halves
            row = await self.database.one(_WORKSPACE, {"id": uuid7(), "name": name})
            if row:
                return row["id"], row["made"]
        raise RuntimeError(f"workspace {name!r} could not be made")

    async def workspace_id(self, name: str) -> UUID | None:
        """The workspace of that name."""
        row = await self.database.one(_WORKSPACE_ID, {"name": name})
        return row["id"] if row else None

    async def create_key(
        self,
        workspace_id: UUID,
        name: str,
        key_hash: bytes,
        last_four: str,
        scopes: Sequence[Scope],
    ) -> UUID:
        """Store a key's hash."""
        key_id = uuid7()
        await self.database.run(
            _CREATE,
            {
                "id": key_id,
                "workspace_id": workspace_id,
                "name": name,
                "hash": key_hash,
                "last_four": last_four,
                "scopes": list(scopes),
            },
        )
        return key_id

    async def list_keys(self, workspace: str | None) -> list[ApiKey]:
        """All keys, or those of one workspace."""
        return [ApiKey(**row) for row in await self.database.all(_LIST, {"workspace": workspace})]

    async def revoke(self, key_id: UUID) -> bool:
        """False if there is no such key; revoking twice is the same as once."""
        return await self.database.one(_REVOKE, {"id": key_id}) is not None
