"""SQL of endpoints. Each is bound to its workspace; a deleted one is kept a while, and is nobody's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString
from uuid import UUID

from app.db.postgres import Database
from app.webhooks.models import Endpoint, NewSigner

_COLUMNS: LiteralString = """id, workspace_id, url, description, events, enabled, disabled_reason, secret,
    case when old_secret_until > now() then old_secret_until end as old_secret_until,
    created_at, updated_at"""
_MINE: LiteralString = "workspace_id = %(workspace_id)s and deleted_at is null"
_ONE: LiteralString = f"id = %(id)s and url is not null and {_MINE}"

LIST: LiteralString = f"""
select {_COLUMNS} from app.webhook_endpoints where url is not null and {_MINE} order by id
"""
GET: LiteralString = f"select {_COLUMNS} from app.webhook_endpoints where {_ONE}"
# Two creates at once must not both find room for the last one.
ONE_AT_A_TIME: LiteralString = """
select 1 from app.workspaces where id = %(workspace_id)s for no key update
"""
CREATE: LiteralString = f"""
insert into app.webhook_endpoints (id, workspace_id, url, description, events, enabled, secret)
select %(id)s, %(workspace_id)s, %(url)s, %(description)s, %(events)s, %(enabled)s, %(secret)s
where (select count(*) from app.webhook_endpoints where url is not null and {_MINE}) < %(at_most)s
returning {_COLUMNS}
"""
# What waits for an endpoint that nobody wants told any more is not told.
_DROPPED: LiteralString = """, dropped as (
    update app.webhook_deliveries d set status = 'dropped', ended_at = now()
    from changed where d.endpoint_id = changed.id and not changed.enabled and d.event <> 'webhook.test'
      and d.status = 'pending' and not d.in_flight
)"""
UPDATE: LiteralString = f"""
with changed as (
    update app.webhook_endpoints set updated_at = now(), url = coalesce(%(url)s::text, url),
        description = coalesce(%(description)s::text, description),
        events = coalesce(%(events)s::text[], events), enabled = coalesce(%(enabled)s::bool, enabled),
        disabled_reason = case when %(enabled)s::bool is null then disabled_reason end
    where {_ONE} returning {_COLUMNS}
){_DROPPED}
select * from changed
"""
DELETE: LiteralString = f"""
with changed as (
    update app.webhook_endpoints set deleted_at = now(), updated_at = now(), enabled = false,
        secret = '', old_secret = null, old_secret_until = null
    where {_ONE} returning id, enabled
){_DROPPED}
select id from changed
"""
ROTATE: LiteralString = f"""
update app.webhook_endpoints set secret = %(secret)s, old_secret = secret, updated_at = now(),
    old_secret_until = now() + make_interval(secs => %(overlap_s)s)
where id = %(id)s and {_MINE} returning {_COLUMNS}
"""
# The one of the workspace, made by whoever needs it first.
OWN: LiteralString = f"""
with made as (
    insert into app.webhook_endpoints (id, workspace_id, events, secret)
    values (%(id)s, %(workspace_id)s, '{{*}}', %(secret)s)
    on conflict (workspace_id) where url is null do nothing returning {_COLUMNS}
)
select * from made
union all
select {_COLUMNS} from app.webhook_endpoints where url is null and {_MINE}
limit 1
"""
SWEEP: LiteralString = """
delete from app.webhook_endpoints where id in (
    select e.id from app.webhook_endpoints e
    where e.deleted_at < now() - make_interval(secs => %(kept_s)s) and not exists (
        select 1 from app.webhook_deliveries d where d.endpoint_id = e.id)
    limit %(batch)s for update skip locked)
"""
_AGAIN: Final = 3


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be different; None leaves a field as it is."""

    url: str | None = None
    description: str | None = None
    events: Sequence[str] | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class EndpointRepository:
    """Endpoints of workspaces."""

    database: Database

    async def list(self, workspace_id: UUID) -> list[Endpoint]:
        """All, oldest first."""
        rows = await self.database.all(LIST, {"workspace_id": workspace_id})
        return [Endpoint(**row) for row in rows]

    async def get(self, workspace_id: UUID, endpoint_id: UUID) -> Endpoint | None:
        """The endpoint, unless it is another's or deleted."""
        row = await self.database.one(GET, {"id": endpoint_id, "workspace_id": workspace_id})
        return Endpoint(**row) if row else None

    async def create(
        self, workspace_id: UUID, signer: NewSigner, new: Change, *, at_most: int
    ) -> Endpoint | None:
        """Record it; None where the workspace has so many."""
        async with self.database.transaction() as cursor:
            await cursor.execute(ONE_AT_A_TIME, {"workspace_id": workspace_id})
            await cursor.execute(
                CREATE,
                {
                    "id": signer.id,
                    "workspace_id": workspace_id,
                    "url": new.url,
                    "description": new.description or "",
                    "events": list(new.events or ["*"]),
                    "enabled": new.enabled is not False,
                    "secret": signer.secret,
                    "at_most": at_most,
                },
            )
            row = await cursor.fetchone()
        return Endpoint(**row) if row else None

    async def update(
        self, workspace_id: UUID, endpoint_id: UUID, change: Change
    ) -> Endpoint | None:
        """Change it; what waits for one that is disabled is dropped."""
        row = await self.database.one(
            UPDATE,
            {
                "id": endpoint_id,
                "workspace_id": workspace_id,
                "url": change.url,
                "description": change.description,
                "events": None if change.events is None else list(change.events),
                "enabled": change.enabled,
            },
        )
        return Endpoint(**row) if row else None

    async def delete(self, workspace_id: UUID, endpoint_id: UUID) -> bool:
        """Delete it, its secret at once."""
        params = {"id": endpoint_id, "workspace_id": workspace_id}
        return await self.database.one(DELETE, params) is not None

    async def rotate(
        self, workspace_id: UUID, endpoint_id: UUID, secret: bytes, overlap_s: float
    ) -> Endpoint | None:
        """Give it a new secret; the one before signs as well for so long."""
        params = {
            "id": endpoint_id,
            "workspace_id": workspace_id,
            "secret": secret,
            "overlap_s": overlap_s,
        }
        row = await self.database.one(ROTATE, params)
        return Endpoint(**row) if row else None

    async def own(self, workspace_id: UUID, fresh: NewSigner) -> Endpoint:
        """The workspace's own; `fresh` becomes it where there is none."""
        params = {"workspace_id": workspace_id, "id": fresh.id, "secret": fresh.secret}
        for _ in range(_AGAIN):  # a parallel insert may be committed between the two halves
            row = await self.database.one(OWN, params)
            if row:
                return Endpoint(**row)
        raise RuntimeError("the workspace's own endpoint could not be made")

    async def sweep(self, kept_s: float, batch: int) -> int:
        """Forget endpoints deleted so long ago that nothing refers to them."""
        return await self.database.run(SWEEP, {"kept_s": kept_s, "batch": batch})
