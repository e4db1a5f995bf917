"""SQL of the courier: takes what is due, keeps payloads, writes down what came of each attempt.

A delivery in flight is leased: `next_attempt_at` is when its attempt is given up. `tries` grows with
every one that is taken and fences its result, so that of two who hold the same row one counts.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from app.db.postgres import Database
from app.webhooks.models import Attempt, Due
from app.webhooks.schedule import Verdict

MAX_IN_LANE: Final = 4
"""Attempts at once to one endpoint, or to one host of a workspace's own."""
MAX_OF_WORKSPACE: Final = 16
LOOKED_AT: Final = 500
KEPT_ATTEMPTS: Final = 30

# Lanes and workspaces that have their fill are passed over, so that a receiver which hangs delays
# nobody else; of what is left, the oldest first.
CLAIM: LiteralString = """
with busy as (
    select lane, workspace_id, count(*) as running from app.webhook_deliveries
    where in_flight and next_attempt_at > now() group by lane, workspace_id
), full_workspaces as (
    select workspace_id from busy group by workspace_id having sum(running) >= %(of_workspace)s
), due as (
    select d.id, d.lane, d.workspace_id, d.next_attempt_at from app.webhook_deliveries d
    where d.status = 'pending' and d.next_attempt_at <= now()
      and d.lane not in (select lane from busy where running >= %(in_lane)s)
      and d.workspace_id not in (select workspace_id from full_workspaces)
    order by d.next_attempt_at limit %(looked_at)s
), placed as (
    select due.id, due.next_attempt_at,
        coalesce((select sum(b.running) from busy b where b.lane = due.lane), 0)
            + row_number() over (partition by due.lane order by due.next_attempt_at) as in_lane,
        coalesce((select sum(b.running) from busy b where b.workspace_id = due.workspace_id), 0)
            + row_number() over (partition by due.workspace_id order by due.next_attempt_at)
            as of_workspace
    from due
), picked as (
    select d.id from app.webhook_deliveries d
    where d.id in (select id from placed
                   where in_lane <= %(in_lane)s and of_workspace <= %(of_workspace)s
                   order by next_attempt_at limit %(room)s)
      and d.status = 'pending' and d.next_attempt_at <= now()
    for update skip locked
), taken as (
    update app.webhook_deliveries d set tries = d.tries + 1, in_flight = true,
        next_attempt_at = now() + make_interval(secs => %(lease_s)s)
    from picked where d.id = picked.id
    returning d.id, d.workspace_id, d.endpoint_id, d.job_id, d.event, d.url, d.payload, d.tries,
        d.created_at
)
select t.id, t.workspace_id, t.endpoint_id, t.job_id, t.event, coalesce(t.url, e.url) as url,
    t.payload, t.tries, t.created_at, e.secret,
    case when e.old_secret_until > now() then e.old_secret end as old_secret,
    e.deleted_at is null and (e.enabled or t.event = 'webhook.test') as is_wanted
from taken t join app.webhook_endpoints e on e.id = t.endpoint_id
"""
KEEP: LiteralString = """
update app.webhook_deliveries set payload = coalesce(payload, %(payload)s)
where id = %(id)s and tries = %(tries)s and status = 'pending' returning payload
"""
# One statement for the result and for what it means to the endpoint.
SETTLE: LiteralString = """
with settled as (
    update app.webhook_deliveries d set status = %(status)s, in_flight = false,
        next_attempt_at = now() + make_interval(secs => %(delay_s)s),
        attempts = case when jsonb_array_length(d.attempts) >= %(kept_attempts)s
                        then d.attempts - 0 else d.attempts end || %(attempts)s,
        ended_at = case when %(status)s = 'pending' then null else now() end
    where d.id = %(id)s and d.tries = %(tries)s and d.status = 'pending'
    returning d.id, d.endpoint_id, d.created_at
), disabled as (
    update app.webhook_endpoints e set enabled = false, disabled_reason = %(disable)s, updated_at = now()
    from settled
    where e.id = settled.endpoint_id and e.url is not null and e.enabled and e.deleted_at is null
      and (%(disable)s = 'gone' or (%(disable)s = 'failing' and not exists (
          select 1 from app.webhook_deliveries since
          where since.endpoint_id = e.id and since.status = 'delivered'
            and since.ended_at > settled.created_at)))
    returning e.id
), dropped as (
    update app.webhook_deliveries d set status = 'dropped', ended_at = now()
    from disabled, settled
    where d.endpoint_id = disabled.id and d.id <> settled.id and d.event <> 'webhook.test'
      and d.status = 'pending' and not d.in_flight
)
select settled.id, exists (select 1 from disabled) as has_disabled from settled
"""
# What came of these attempts is unknown: another may make them again at once.
GIVE_BACK: LiteralString = """
update app.webhook_deliveries d set in_flight = false, next_attempt_at = now()
from unnest(%(ids)s::uuid[], %(tries)s::int[]) as held (id, tries)
where d.id = held.id and d.tries = held.tries and d.in_flight
"""
SWEEP: LiteralString = """
delete from app.webhook_deliveries where id in (
    select id from app.webhook_deliveries
    where job_id is null and created_at < now() - make_interval(secs => %(kept_s)s)
    order by created_at limit %(batch)s for update skip locked)
"""


@dataclass(frozen=True, slots=True)
class OutboxRepository:
    """What is to be told."""

    database: Database
    lease_s: float

    async def claim(self, room: int) -> list[Due]:
        """Take up to so many deliveries for one attempt each."""
        rows = await self.database.all(
            CLAIM,
            {
                "room": room,
                "in_lane": MAX_IN_LANE,
                "of_workspace": MAX_OF_WORKSPACE,
                "looked_at": LOOKED_AT,
                "lease_s": self.lease_s,
            },
        )
        return [Due(**row) for row in rows]

    async def keep(self, due: Due, payload: str) -> str | None:
        """Keep the payload before it is sent; returns the one that counts, None if no longer ours."""
        params = {"id": due.id, "tries": due.tries, "payload": payload}
        row = await self.database.one(KEEP, params)
        return row["payload"] if row else None

    async def settle(self, due: Due, verdict: Verdict, attempt: Attempt | None) -> bool:
        """Write down what came of it; returns whether that has disabled the endpoint."""
        row = await self.database.one(
            SETTLE,
            {
                "id": due.id,
                "tries": due.tries,
                "status": verdict.status,
                "delay_s": verdict.delay_s,
                "disable": verdict.disable,
                "attempts": Jsonb([asdict(attempt)] if attempt else []),
                "kept_attempts": KEPT_ATTEMPTS,
            },
        )
        return row is not None and row["has_disabled"]

    async def give_back(self, held: Sequence[Due]) -> None:
        """Let others make these attempts now."""
        ids, tries = [due.id for due in held], [due.tries for due in held]
        await self.database.run(GIVE_BACK, {"ids": ids, "tries": tries})

    async def sweep(self, kept_s: float, batch: int) -> int:
        """Delete tests older than that; deliveries of jobs go with their jobs."""
        return await self.database.run(SWEEP, {"kept_s": kept_s, "batch": batch})


def ids_of(due: Due) -> dict[str, UUID | None]:
    """What every log line about it carries."""
    return {
        "delivery_id": due.id,
        "endpoint_id": due.endpoint_id,
        "job_id": due.job_id,
        "workspace_id": due.workspace_id,
    }
