-- The rows one job needs from submit to its last event. Schema `app` is not exposed to any Data API:
-- row level security is on for every table with no policy, and nobody but the owner holds a privilege.
-- Ids are UUIDv7 made by the front door; clocks are now() here and nowhere else; no extension is used.

create schema if not exists app;
revoke all on schema app from public;

create table app.workspaces (
    id          uuid primary key,
    name        text not null unique check (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    created_at  timestamptz not null default now()
);

create table app.api_keys (
    id            uuid primary key,
    workspace_id  uuid not null references app.workspaces on delete cascade,
    name          text not null,
    hash          bytea not null unique,          -- sha256 of the whole key; the key itself is shown once
    last_four     text not null,
    scopes        text[] not null,
    created_at    timestamptz not null default now(),
    expires_at    timestamptz,
    last_used_at  timestamptz,
    revoked_at    timestamptz
);
create index api_keys_workspace on app.api_keys (workspace_id);

-- files -------------------------------------------------------------------------------------------

create table app.blobs (
    id            uuid primary key,
    workspace_id  uuid not null references app.workspaces on delete cascade,
    blake3        bytea check (octet_length(blake3) = 32),
    size_bytes    bigint not null check (size_bytes >= 0),
    storage_key   text not null unique,
    verified_at   timestamptz,                    -- set once we or storage computed the hash; only then it dedupes
    created_at    timestamptz not null default now()
);
create unique index blobs_by_hash on app.blobs (workspace_id, blake3) where verified_at is not null;

create table app.assets (
    id            uuid primary key,
    workspace_id  uuid not null references app.workspaces on delete cascade,
    blob_id       uuid not null references app.blobs,
    file_path     text not null,                  -- an output's basename, unique in its job
    content_type  text not null,
    tags          text[] not null default '{}',
    created_at    timestamptz not null default now(),
    touched_at    timestamptz not null default now(),   -- the newest of a path is the file of that name
    expires_at    timestamptz,
    job_id        uuid,                           -- the rest only for outputs
    epoch         int,
    node_id       text,
    kind          text check (kind in ('image', 'video', 'audio', 'text', 'file', 'latent')),
    published_at  timestamptz                     -- an output registered, but never announced, stays null
);
create unique index assets_uploaded on app.assets (workspace_id, blob_id, file_path) where job_id is null;
create index assets_by_path on app.assets (workspace_id, file_path, touched_at desc) where job_id is null;
create unique index assets_of_job on app.assets (job_id, epoch, file_path) where job_id is not null;
create index assets_blob on app.assets (blob_id);

-- what runs jobs ----------------------------------------------------------------------------------

create table app.environments (
    name             text not null,
    digest           text not null,               -- over versions and object_info
    backend          text not null check (backend in ('local', 'modal')),
    workspaces       uuid[],                      -- whom its workers may serve; null: everybody
    comfyui_version  text not null,
    is_engine        boolean not null,
    python_version   text not null,
    devices          jsonb not null,
    object_info      json not null,               -- json, not jsonb: the order of inputs is part of it
    output_kinds     text[] not null,
    registered_at    timestamptz not null default now(),
    primary key (name, digest)
);
create index environments_newest on app.environments (name, registered_at desc);

-- jobs --------------------------------------------------------------------------------------------

create table app.jobs (
    id                    uuid primary key,
    workspace_id          uuid not null references app.workspaces on delete cascade,
    status                text not null default 'queued' check (status in
                              ('queued', 'dispatched', 'running', 'succeeded', 'failed', 'canceled', 'expired')),
    backend               text not null check (backend in ('local', 'modal')),
    backend_reason        text not null,
    environment           text not null,
    graph                 json not null,          -- what bind and sanitise produced, never the received bytes
    workflow_version_id   uuid,
    inputs                jsonb not null default '[]',  -- [{"asset_id", "file_name"}] that the graph names
    outputs               jsonb not null default '[]',  -- the manifest: claim empties it, the output statement appends
    progress              jsonb,
    progress_at           timestamptz,
    metadata              jsonb not null default '{}',
    epoch                 int not null default 0, -- the fence: +1 on claim, reap, give back and forced cancel
    tries                 int not null default 0, -- starts
    max_tries             int not null,
    interruptions         int not null default 0, -- starts taken away through no fault of the job's; not counted against it
    unclaimed_dispatches  int not null default 0,
    seq                   int not null default 1, -- of its newest event; dense
    client_seq            int not null default 0, -- of the executor's newest transition in this epoch
    priority              int not null default 0,
    run_after             timestamptz not null default now(),
    lease_expires_at      timestamptz,
    start_by              timestamptz not null,
    deadline_s            double precision not null,
    deadline_at           timestamptz,
    cancel_requested_at   timestamptz,
    executor_id           text,
    worker_id             uuid,                   -- whose slots it takes, from the worker's token
    dispatch_id           uuid,
    idempotency_key       text check (length(idempotency_key) between 1 and 255),
    request_hash          bytea,
    error                 jsonb,
    retry_of              uuid,
    created_at            timestamptz not null default now(),
    started_at            timestamptz,
    ended_at              timestamptz,
    expires_at            timestamptz not null,
    check ((status in ('dispatched', 'running')) = (lease_expires_at is not null)),
    check ((status in ('succeeded', 'failed', 'canceled', 'expired')) = (ended_at is not null))
);
create index jobs_of_workspace on app.jobs (workspace_id, id desc);
create index jobs_ready on app.jobs (backend, workspace_id, priority desc, run_after, id) where status = 'queued';
create index jobs_live on app.jobs (lease_expires_at) where status in ('dispatched', 'running');
create index jobs_deadline on app.jobs (deadline_at)
    where status in ('queued', 'dispatched', 'running') and deadline_at is not null;
create index jobs_start_by on app.jobs (start_by) where status in ('queued', 'dispatched');
create unique index jobs_idempotency on app.jobs (workspace_id, idempotency_key) where idempotency_key is not null;

create table app.job_events (
    job_id  uuid not null references app.jobs on delete cascade,
    seq     int not null,
    epoch   int not null,
    type    text not null check (type in ('status', 'output', 'log')),
    data    jsonb not null,
    at      timestamptz not null default now(),
    primary key (job_id, seq)
);

create table app.job_attempts (
    claim_id            uuid primary key,         -- a repeated claim finds its own attempt
    job_id              uuid not null references app.jobs on delete cascade,
    epoch               int not null,
    environment_digest  text not null,
    executor_id         text not null,
    dispatch_id         uuid,
    started_at          timestamptz not null default now(),
    ended_at            timestamptz,
    outcome             text,                     -- the job's status it led to, or the failure code
    reported            boolean not null default false,  -- false: ended by the front door, without a word
    timings_ms          jsonb,
    cost_usd            numeric(12, 6),
    unique (job_id, epoch)
);

create table app.job_dispatches (
    dispatch_id       uuid primary key,
    job_id            uuid not null references app.jobs on delete cascade,
    backend           text not null,
    external_id       text,                       -- stored by dispatch_id alone, however late
    dispatched_at     timestamptz not null default now(),
    lease_expires_at  timestamptz not null,
    claimed_at        timestamptz,
    ended_at          timestamptz,
    cancel_wanted_at  timestamptz
);
create index job_dispatches_job on app.job_dispatches (job_id);
create index job_dispatches_to_cancel on app.job_dispatches (cancel_wanted_at)
    where cancel_wanted_at is not null and ended_at is null;

create table app.job_secrets (
    job_id      uuid primary key references app.jobs on delete cascade,
    ciphertext  bytea not null                    -- AES-GCM; deleted by the statement that ends the job
);

create table app.workspace_turns (                -- fairness: whose turn it is on a backend
    workspace_id     uuid not null references app.workspaces on delete cascade,
    backend          text not null,
    last_claimed_at  timestamptz not null default '-infinity',
    primary key (workspace_id, backend)
);
create index workspace_turns_order on app.workspace_turns (backend, last_claimed_at);

create table app.maintenance (
    name       text primary key,
    holder     text,
    until      timestamptz not null default '-infinity',
    ticked_at  timestamptz not null default '-infinity'
);
insert into app.maintenance (name) values ('duties'), ('reaper');

-- nobody but the owner ----------------------------------------------------------------------------

alter table app.workspaces      enable row level security;
alter table app.api_keys        enable row level security;
alter table app.blobs           enable row level security;
alter table app.assets          enable row level security;
alter table app.environments    enable row level security;
alter table app.jobs            enable row level security;
alter table app.job_events      enable row level security;
alter table app.job_attempts    enable row level security;
alter table app.job_dispatches  enable row level security;
alter table app.job_secrets     enable row level security;
alter table app.workspace_turns enable row level security;
alter table app.maintenance     enable row level security;
