-- Who is told of the end of jobs, and the outbox: the statement that ends a job writes what is to be told.

create table app.webhook_endpoints (
    id                uuid primary key,
    workspace_id      uuid not null references app.workspaces on delete cascade,
    url               text,                          -- null: the workspace's own, for jobs that bring a webhook_url
    description       text not null default '',
    events            text[] not null,               -- 'job.succeeded', ..., or '*'
    enabled           boolean not null default true,
    disabled_reason   text check (disabled_reason in ('gone', 'failing')),  -- null: nobody disabled it, or a person did
    secret            bytea not null,                -- AES-GCM, bound to the id
    old_secret        bytea,                         -- signs beside the new one while a rotation lasts
    old_secret_until  timestamptz,
    created_at        timestamptz not null default now(),
    updated_at        timestamptz not null default now(),
    deleted_at        timestamptz,                   -- kept a day: a statement that ends a job may still refer to it
    check (enabled or url is not null)
);
create index webhook_endpoints_of_workspace on app.webhook_endpoints (workspace_id, id);
create unique index webhook_endpoints_own on app.webhook_endpoints (workspace_id) where url is null;
create index webhook_endpoints_deleted on app.webhook_endpoints (deleted_at) where deleted_at is not null;

create table app.webhook_deliveries (
    id               uuid primary key,               -- webhook-id of every attempt
    workspace_id     uuid not null references app.workspaces on delete cascade,
    endpoint_id      uuid not null references app.webhook_endpoints on delete cascade,
    job_id           uuid references app.jobs on delete cascade,   -- null: a test
    event            text not null,
    url              text,                           -- of the job; null: the endpoint's, as it is when an attempt begins
    lane             text not null,                  -- attempts of one lane are few at a time: an endpoint, or a host of the workspace's own
    status           text not null default 'pending' check (status in ('pending', 'delivered', 'exhausted', 'dropped')),
    payload          text,                           -- rendered at the first attempt, sent unchanged at every other
    tries            int not null default 0,         -- attempts begun; the fence of their results
    attempts         jsonb not null default '[]',    -- what came of them
    in_flight        boolean not null default false, -- and then next_attempt_at is when to give it up
    next_attempt_at  timestamptz not null default now(),
    created_at       timestamptz not null default clock_timestamp(),
    ended_at         timestamptz,
    unique (job_id, endpoint_id),
    check ((status = 'pending') = (ended_at is null)),
    check (status = 'pending' or not in_flight)
);
create index webhook_deliveries_due on app.webhook_deliveries (next_attempt_at) where status = 'pending';
create index webhook_deliveries_in_flight on app.webhook_deliveries (lane) where in_flight;
create index webhook_deliveries_of_workspace on app.webhook_deliveries (workspace_id, created_at desc, id desc);
create index webhook_deliveries_of_endpoint on app.webhook_deliveries (endpoint_id, created_at desc, id desc);
create index webhook_deliveries_tests on app.webhook_deliveries (created_at) where job_id is null;

alter table app.jobs add column webhook_url text;

alter table app.webhook_endpoints  enable row level security;
alter table app.webhook_deliveries enable row level security;
