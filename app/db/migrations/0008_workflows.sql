-- What can be run by name: workflows, their immutable versions, and the words that lead to one of them.

create table app.workflows (
    id            uuid primary key,
    workspace_id  uuid not null references app.workspaces on delete cascade,
    name          text not null check (name ~ '^[a-z0-9][a-z0-9_-]{0,63}$'),
    newest        int not null default 1,         -- number of its newest version; every workflow has one
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    archived_at   timestamptz,                    -- kept, and run by nobody until it is restored
    unique (workspace_id, name)
);

create table app.workflow_versions (
    id            uuid primary key,
    workflow_id   uuid not null references app.workflows on delete cascade,
    number        int not null check (number > 0),
    graph         json not null,                  -- API format; json, not jsonb: the order of nodes and inputs is part of it
    source        json,                           -- the editor's file, where one was given
    bindings      json not null,
    environment   text not null,
    notes         text not null default '',
    content_hash  bytea not null check (octet_length(content_hash) = 32),  -- sha256 of graph, bindings and environment
    created_at    timestamptz not null default now(),
    unique (workflow_id, number),
    unique (workflow_id, content_hash)            -- the same content is the same version, whoever pushes it how often
);

create table app.workflow_aliases (
    workflow_id  uuid not null references app.workflows on delete cascade,
    alias        text not null check (alias ~ '^[a-z][a-z0-9_-]{0,63}$'),
    number       int not null,
    moved_at     timestamptz not null default now(),
    primary key (workflow_id, alias),
    foreign key (workflow_id, number) references app.workflow_versions (workflow_id, number)
);

alter table app.jobs add column workflow_inputs json;  -- what the caller gave by name, random seeds as they were drawn
alter table app.jobs add constraint jobs_workflow_version
    foreign key (workflow_version_id) references app.workflow_versions not valid;  -- new rows only: none has one yet
create index jobs_of_workflow_version on app.jobs (workflow_version_id, id desc) where workflow_version_id is not null;

alter table app.workflows         enable row level security;
alter table app.workflow_versions enable row level security;
alter table app.workflow_aliases  enable row level security;
