"""How every transition is one statement: the UPDATE, its event, and the tail that every ending shares.

A data-modifying CTE runs in one snapshot: either the row moves and its event, attempt, dispatch,
secrets and webhooks follow, or nothing is written. The UPDATE must return the columns of `RETURNING`.
"""

from typing import Final, LiteralString

from app.jobs.models import MAX_LOG_BYTES

BOUNDS: Final = {
    "max_backoff_s": 60.0,
    "max_interruptions": 10,
    "max_unclaimed_dispatches": 5,
    "rescheduled_grace_s": 10.0,  # a run whose lease passed may be claimed by a restarted container
    "reap_batch": 100,
    "max_log_bytes": MAX_LOG_BYTES,
}
"""Fixed limits of the machine, given to every statement by name."""

STATUS_DATA: LiteralString = """jsonb_strip_nulls(jsonb_build_object(
    'status', case when j.status = 'dispatched' then 'queued'
                   when j.status = 'running' and j.cancel_requested_at is not null then 'canceling'
                   else j.status end,
    'phase', case when j.status = 'dispatched' then 'starting' end,
    'tries', j.tries, 'error', j.error"""


def tries_allowed(
    workspace_id: LiteralString, graph_hash: LiteralString, max_tries: LiteralString
) -> LiteralString:
    """Starts of a new job: one for a workflow that killed all its workers in the last day."""
    return f"""case when exists (select 1 from app.jobs poisoned
        where poisoned.workspace_id = {workspace_id} and poisoned.graph_hash = {graph_hash}
          and poisoned.status = 'failed' and poisoned.error ->> 'code' = 'poisoned'
          and poisoned.ended_at > now() - interval '1 day')
    then 1 else {max_tries} end"""


def status_event(extra: LiteralString = "") -> LiteralString:
    """The event columns of a move; `extra` adds pairs of jsonb_build_object."""
    more: LiteralString = f", {extra}" if extra else ""
    return f"'status' as event_type, {STATUS_DATA}{more})) as event_data"


def returning(
    event: LiteralString,
    *,
    attempt: LiteralString = "j.epoch",
    outcome: LiteralString = "null",
    reported: LiteralString = "false",
    timings: LiteralString = "null::jsonb",
) -> LiteralString:
    """RETURNING of a move.

    Args:
        event: from `status_event`, or two columns of its own
        attempt: epoch of the attempt it ends, where `outcome` is not null
        outcome: how that attempt ended; null leaves it open
        reported: whether its executor said so
        timings: what it measured
    """
    return f"""returning j.id, j.workspace_id, j.status, j.seq, j.epoch, j.cancel_requested_at,
    j.tries, extract(epoch from j.started_at - j.created_at) as waited_s,
    extract(epoch from j.ended_at - j.started_at) as ran_s,
    {attempt} as attempt_epoch, {outcome} as outcome, {reported} as reported,
    {timings} as timings_ms, j.webhook_url, {event}"""


_ANSWER: LiteralString = """
select id, workspace_id, status, seq, epoch, cancel_requested_at is not null as cancel,
    tries, waited_s, ran_s, exists (select 1 from webhooks) as notifies
from moved
"""


def transition(
    update: LiteralString,
    *,
    before: LiteralString = "",
    after: LiteralString = "",
    answer: LiteralString = _ANSWER,
) -> LiteralString:
    """One statement around an UPDATE of `app.jobs j`.

    Args:
        update: the UPDATE with its RETURNING
        before: CTEs it reads, each ending in a comma
        after: more CTEs over `moved`, each beginning with a comma
        answer: the SELECT over `moved` that ends it
    """
    return f"""
with {before} moved as ({update}), logged as (
    insert into app.job_events (workspace_id, job_id, seq, epoch, type, data)
    select workspace_id, id, seq, epoch, event_type, event_data from moved
    where event_type is not null
), attempt_ended as (
    update app.job_attempts a
    set ended_at = now(), outcome = moved.outcome, reported = moved.reported,
        timings_ms = moved.timings_ms
    from moved
    where a.job_id = moved.id and a.epoch = moved.attempt_epoch
      and moved.outcome is not null and a.ended_at is null
), dispatch_canceled as (
    -- A call that is starting, or still runs, for a job that has ended is to be canceled.
    update app.job_dispatches d set cancel_wanted_at = now()
    from moved
    where d.job_id = moved.id and d.ended_at is null and d.cancel_wanted_at is null
      and moved.status in ('canceled', 'failed', 'expired')
), secrets_deleted as (
    delete from app.job_secrets s using moved
    where s.job_id = moved.id and moved.status in ('succeeded', 'failed', 'canceled', 'expired')
), webhooks as (
    -- The outbox: whoever ends a job, and whatever is killed then, what is to be told stands here.
    insert into app.webhook_deliveries (id, workspace_id, endpoint_id, job_id, event, url, lane)
    select gen_random_uuid(), moved.workspace_id, e.id, moved.id, 'job.' || moved.status,
        case when e.url is null then moved.webhook_url end,
        e.id || case when e.url is null then ' ' || split_part(moved.webhook_url, '/', 3) else '' end
    from moved join app.webhook_endpoints e on e.workspace_id = moved.workspace_id
    where moved.status in ('succeeded', 'failed', 'canceled', 'expired')
      and e.enabled and e.deleted_at is null and e.events && array['*', 'job.' || moved.status]
      and (e.url is not null or moved.webhook_url is not null)
    on conflict (job_id, endpoint_id) do nothing
    returning 1
){after}
{answer}"""
