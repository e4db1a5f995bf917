"""SQL of deliveries as their owners see them: list, look, send again, test."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID, uuid4

from app.db.postgres import Database, Row
from app.webhooks.models import (
    MAX_TESTS_A_MINUTE,
    MAX_TRIES,
    TEST_EVENT,
    Delivery,
    DeliveryFilter,
)

_DELIVERY: LiteralString = """
select d.id, case when e.url is not null then d.endpoint_id end as endpoint_id, d.job_id, d.event,
    coalesce(d.url, e.url) as url, d.status, d.tries, d.attempts,
    case when d.status = 'pending' and not d.in_flight then d.next_attempt_at end as next_attempt_at,
    d.created_at, d.ended_at
from app.webhook_deliveries d join app.webhook_endpoints e on e.id = d.endpoint_id
"""
_MINE: LiteralString = "d.workspace_id = %(workspace_id)s"
GET: LiteralString = f"{_DELIVERY} where d.id = %(id)s and {_MINE}"
# One that is under way is left alone: it is being told.
REDELIVER: LiteralString = """
update app.webhook_deliveries d set status = 'pending', ended_at = null, next_attempt_at = now()
from app.webhook_endpoints e
where d.id = %(id)s and d.workspace_id = %(workspace_id)s and e.id = d.endpoint_id
  and e.deleted_at is null and (e.enabled or d.event = 'webhook.test') and d.tries < %(max_tries)s
  and not (d.in_flight and d.next_attempt_at > now())
returning d.id
"""
STANDING: LiteralString = """
select d.tries, e.deleted_at is null and (e.enabled or d.event = 'webhook.test') as is_wanted
from app.webhook_deliveries d join app.webhook_endpoints e on e.id = d.endpoint_id
where d.id = %(id)s and d.workspace_id = %(workspace_id)s
"""
TEST: LiteralString = """
insert into app.webhook_deliveries (id, workspace_id, endpoint_id, event, lane)
select %(id)s, e.workspace_id, e.id, %(event)s, e.id::text from app.webhook_endpoints e
where e.id = %(endpoint_id)s and e.workspace_id = %(workspace_id)s and e.url is not null
  and e.deleted_at is null
  and (select count(*) from app.webhook_deliveries d
       where d.endpoint_id = e.id and d.job_id is null
         and d.created_at > now() - interval '1 minute') < %(at_most)s
returning id
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the list, newest first."""

    created_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Standing:
    """Why a delivery was not sent again."""

    tries: int
    is_wanted: bool


@dataclass(frozen=True, slots=True)
class DeliveryRepository:
    """Deliveries of workspaces."""

    database: Database

    async def get(self, workspace_id: UUID, delivery_id: UUID) -> Delivery | None:
        """The delivery, unless it is another's."""
        row = await self.database.one(GET, {"id": delivery_id, "workspace_id": workspace_id})
        return _delivery(row) if row else None

    async def list(
        self, workspace_id: UUID, *, after: Place | None, limit: int, wanted: DeliveryFilter
    ) -> list[Delivery]:
        """Newest first, older than a place."""
        rows = await self.database.all(
            _list_statement(after, wanted),
            {
                "workspace_id": workspace_id,
                "created_at": after.created_at if after else None,
                "id": after.id if after else None,
                "limit": limit,
                "status": wanted.status,
                "event": wanted.event,
                "job_id": wanted.job_id,
                "endpoint_id": wanted.endpoint_id,
            },
        )
        return [_delivery(row) for row in rows]

    async def redeliver(self, workspace_id: UUID, delivery_id: UUID) -> bool:
        """Let the next attempt be now; False where `standing` says why not, or one is under way."""
        params = {"id": delivery_id, "workspace_id": workspace_id, "max_tries": MAX_TRIES}
        return await self.database.one(REDELIVER, params) is not None

    async def standing(self, workspace_id: UUID, delivery_id: UUID) -> Standing | None:
        """Where a delivery stands, to explain a refusal."""
        row = await self.database.one(STANDING, {"id": delivery_id, "workspace_id": workspace_id})
        return Standing(**row) if row else None

    async def test(self, workspace_id: UUID, endpoint_id: UUID) -> UUID | None:
        """Record a test; None if the endpoint has had enough of them, or is not there."""
        row = await self.database.one(
            TEST,
            {
                "id": uuid4(),
                "workspace_id": workspace_id,
                "endpoint_id": endpoint_id,
                "event": TEST_EVENT,
                "at_most": MAX_TESTS_A_MINUTE,
            },
        )
        return row["id"] if row else None


def _list_statement(after: Place | None, wanted: DeliveryFilter) -> LiteralString:
    # Only the conditions that are asked for, so that the planner can use the index of each.
    sql: LiteralString = f"{_DELIVERY} where {_MINE}"
    if after:
        sql += " and (d.created_at, d.id) < (%(created_at)s, %(id)s)"
    if wanted.status:
        sql += " and d.status = %(status)s"
    if wanted.event:
        sql += " and d.event = %(event)s"
    if wanted.job_id:
        sql += " and d.job_id = %(job_id)s"
    if wanted.endpoint_id:
        sql += " and d.endpoint_id = %(endpoint_id)s and e.url is not null"
    return sql + " order by d.created_at desc, d.id desc limit %(limit)s"


def _delivery(row: Row) -> Delivery:
    return Delivery(**row)
