-- Bytes always have an owner, idempotency keys live a day, and a workspace has one stream of events.

-- A blob is loose from the moment no asset may be over it: an upload that has only begun, or one
-- whose last asset went. The sweep looks at loose blobs and at no others.
alter table app.blobs add column loose_since timestamptz default now();
update app.blobs b set loose_since = null
where exists (select 1 from app.assets a where a.blob_id = b.id);
create index blobs_loose on app.blobs (loose_since) where loose_since is not null;

-- Objects whose row is gone: written by the statement that deletes the row, so that a crash between
-- the row and the object leaves no bytes without an owner.
create table app.object_deletions (
    storage_key  text primary key,
    wanted_at    timestamptz not null default now()
);
alter table app.object_deletions enable row level security;

create index assets_expiring on app.assets (expires_at) where expires_at is not null;
create index assets_unpublished on app.assets (created_at) where job_id is not null and published_at is null;

-- The manifest says where each output lies; nothing derives a key a second time.
update app.jobs j set outputs = (
    select coalesce(jsonb_agg(o.entry || jsonb_build_object('storage_key', b.storage_key) order by o.place), '[]')
    from jsonb_array_elements(j.outputs) with ordinality as o (entry, place)
    join app.assets a on a.id = (o.entry ->> 'asset_id')::uuid
    join app.blobs b on b.id = a.blob_id)
where j.outputs <> '[]';
update app.job_events e set data = e.data || jsonb_build_object('storage_key', b.storage_key)
from app.assets a join app.blobs b on b.id = a.blob_id
where e.type = 'output' and a.id = (e.data ->> 'asset_id')::uuid;

alter table app.jobs add column tags text[] not null default '{}';
alter table app.jobs add column log_bytes int not null default 0;  -- what its log lines hold, to bound it
create index jobs_tagged on app.jobs using gin (tags) where tags <> '{}';
create index jobs_labelled on app.jobs using gin (metadata jsonb_path_ops) where metadata <> '{}';
create index jobs_past_retention on app.jobs (expires_at) where ended_at is not null;
create index jobs_keyed on app.jobs (created_at) where idempotency_key is not null;

alter table app.job_events add column workspace_id uuid;
update app.job_events e set workspace_id = j.workspace_id from app.jobs j where j.id = e.job_id;
alter table app.job_events alter column workspace_id set not null;
-- Taken once the job's row is locked: of one job, later events have later times.
alter table app.job_events alter column at set default clock_timestamp();
create index job_events_of_workspace on app.job_events (workspace_id, at, job_id, seq);
