"""Databases with a past: many jobs that have ended, a queue and some runs, all made by Postgres itself."""

import os
from typing import Final, LiteralString

import psycopg
from psycopg.types.json import Json

from tests.app.front_door import POSTER

ROWS: Final = int(os.environ.get("COMFYBURST_BENCH_ROWS", "100000"))
QUEUED: Final = 1_000
RUNNING: Final = 100
WORKSPACES: Final = 10

_WORKSPACES: LiteralString = """
with made as (
    insert into app.workspaces (id, name)
    select uuidv7(), 'bench-' || n from generate_series(0, %(workspaces)s - 1) n returning id
)
insert into app.workspace_turns (workspace_id, backend)
select id, backend from made, unnest(array['local', 'modal']) backend
"""
# Row n of them was submitted (rows - n) * 2 s ago: the queue is what is newest, the runs are before it.
# One workspace has the whole queue: places in it are counted.
_JOBS: LiteralString = """
insert into app.jobs (id, workspace_id, status, backend, backend_reason, environment, graph, graph_hash,
    outputs, metadata, tags, epoch, tries, max_tries, seq, lease_expires_at, start_by, deadline_s, deadline_at,
    executor_id, worker_id, idempotency_key, error, created_at, started_at, ended_at, expires_at)
select uuidv7(age), workspaces.ids[case when status = 'queued' then 1 else 1 + n %% %(workspaces)s end], status, 'local', 'local: the bench', 'local',
    %(graph)s::json, sha256(n::text::bytea), '[]',
    case when n %% 10 = 0 then jsonb_build_object('batch', (n / 1000)::text) else '{}' end,
    case when n %% 10 = 1 then array['t' || n / 1000] else '{}' end,
    case when status = 'queued' then 0 else 1 end, case when status = 'queued' then 0 else 1 end, 3,
    case status when 'queued' then 1 when 'running' then 2 else 3 end,
    case when status = 'running' then now() + interval '1 day' end, now() + interval '1 day', 3600,
    case when status = 'running' then now() + interval '1 day' when status <> 'queued' then now() + age + interval '1 hour' end,
    case when status <> 'queued' then 'bench' end,
    case when status <> 'queued' then gen_random_uuid() end,
    case when age > interval '-1 day' and n %% 5 = 0 then 'key-' || n end,
    case when status = 'failed' then '{"code": "node_failed", "message": "a node raised"}'::jsonb end,
    now() + age, case when status <> 'queued' then now() + age end,
    case when status not in ('queued', 'running') then now() + age end, now() + interval '90 days'
from (select n, (n - %(rows)s) * interval '2 s' as age,
        case when n > %(rows)s - %(queued)s then 'queued'
             when n > %(rows)s - %(queued)s - %(running)s then 'running'
             when n %% 20 = 0 then 'failed' when n %% 20 = 1 then 'canceled' else 'succeeded' end as status
      from generate_series(1, %(rows)s) n) as made,
    (select array_agg(id order by name) as ids from app.workspaces where name like 'bench-%%') as workspaces
"""
# The log of one in twenty of those that have ended.
_EVENTS: LiteralString = """
insert into app.job_events (workspace_id, job_id, seq, epoch, type, data, at)
select workspace_id, id, n, 1, 'log', '{"level": "info", "message": "a line as a node would write it"}',
    created_at
from (select * from app.jobs where ended_at is not null and get_byte(graph_hash, 0) %% 20 = 0) as chosen, generate_series(1, 5) n
"""


def seed(database_url: str, rows: int) -> None:
    """Fill a migrated, empty database with `rows` jobs in all; 0 makes only the workspaces.

    Foreign keys are not looked up again: what stands here refers to what stands here.
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("set synchronous_commit = off")
        connection.execute(_WORKSPACES, {"workspaces": WORKSPACES})
        if rows:
            connection.execute(
                _JOBS,
                {
                    "rows": rows,
                    "queued": QUEUED,
                    "running": RUNNING,
                    "workspaces": WORKSPACES,
                    "graph": Json(POSTER),
                },
            )
            connection.execute(_EVENTS, {})
        connection.execute("vacuum (analyze)")
        connection.execute("checkpoint")
