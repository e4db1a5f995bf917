"""The invariants I1 to I5, read from the rows when all is over (facts/reliability-and-performance.md §3)."""

from dataclasses import dataclass
from typing import Any, Final, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

LOST: LiteralString = """
select count(*) from unnest(%(accepted)s::uuid[]) as wanted (id)
where not exists (select 1 from app.jobs j where j.id = wanted.id
    and j.status in ('succeeded', 'failed', 'canceled', 'expired') and j.ended_at is not null)
"""
# More than one end, more than one run that succeeded, or a job that nobody was told of.
DOUBLED: LiteralString = """
select count(*) from app.jobs j
where (select count(*) from app.job_events e where e.job_id = j.id and type = 'status'
       and data ->> 'status' in ('succeeded', 'failed', 'canceled', 'expired')) <> 1
   or (select count(*) from app.job_attempts a
       where a.job_id = j.id and a.outcome = 'succeeded') > 1
   or not j.id = any(%(accepted)s::uuid[])
"""
GAPS: LiteralString = """
select count(*) from app.jobs j
where (select row (count(*), coalesce(max(seq), 0), coalesce(min(seq), 0))
       from app.job_events e where e.job_id = j.id) <> row (j.seq::bigint, j.seq, 1)
"""
AFTER_TERMINAL: LiteralString = """
select count(*) from app.job_events e
where e.seq > (select min(seq) from app.job_events t
    where t.job_id = e.job_id and type = 'status'
      and data ->> 'status' in ('succeeded', 'failed', 'canceled', 'expired'))
"""
# A write says which epoch it belongs to: in a log line, in a failure, in timings, in a file's name.
STALE: LiteralString = """
select (select count(*) from app.job_events
        where type = 'log' and data ->> 'message' like 'epoch %%'
          and data ->> 'message' <> 'epoch ' || epoch)
     + (select count(*) from app.job_events e join app.assets a on a.id = (e.data ->> 'asset_id')::uuid
        where e.type = 'output' and a.epoch <> e.epoch)
     + (select count(*) from app.job_attempts
        where timings_ms ? 'epoch' and (timings_ms ->> 'epoch')::int <> epoch)
     + (select count(*) from app.jobs
        where error ->> 'message' like 'epoch %%' and error ->> 'message' <> 'epoch ' || epoch)
     + (select count(*) from app.jobs j cross join jsonb_array_elements(j.outputs) as output
        join app.assets a on a.id = (output ->> 'asset_id')::uuid
        where j.status = 'succeeded' and a.epoch <> j.epoch)
"""
EPOCHS_BACK: LiteralString = """
select count(*) from (
    select e.epoch, j.epoch as newest,
        lag(e.epoch) over (partition by e.job_id order by e.seq) as before
    from app.job_events e join app.jobs j on j.id = e.job_id) as told
where epoch > newest or epoch < before
"""
CANCELED_YET_SUCCEEDED: LiteralString = """
select count(*) from app.jobs where id = any(%(canceled)s::uuid[]) and status = 'succeeded'
"""
SUMMARY: LiteralString = """
select status, count(*) as jobs, sum(tries) as starts, sum(epoch) as epochs
from app.jobs group by status order by status
"""

BROKEN: Final[dict[str, LiteralString]] = {
    "lost": LOST,
    "doubled": DOUBLED,
    "stale_accepted": STALE,
    "gaps": GAPS,
    "after_terminal": AFTER_TERMINAL,
    "epochs_back": EPOCHS_BACK,
    "canceled_yet_succeeded": CANCELED_YET_SUCCEEDED,
}
"""Each must be 0."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How often each promise was broken, and what became of the jobs."""

    broken: dict[str, int]
    summary: list[dict[str, Any]]


def judge(database_url: str, accepted: list[UUID], canceled: list[UUID]) -> Verdict:
    """Look at every row."""
    params = {"accepted": accepted, "canceled": canceled}
    with psycopg.connect(database_url) as connection:
        broken = {name: _number(connection, sql, params) for name, sql in BROKEN.items()}
        summary = connection.cursor(row_factory=dict_row).execute(SUMMARY).fetchall()
    return Verdict(broken, summary)


def _number(connection: psycopg.Connection, sql: LiteralString, params: dict[str, Any]) -> int:
    row = connection.execute(sql, params).fetchone()
    assert row is not None, "count(*) has one row"
    return int(row[0])
