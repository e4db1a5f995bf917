-- A retry is a job of its own that names the one it repeats; a workflow that killed its workers is known again.

create index jobs_retried on app.jobs (retry_of) where retry_of is not null;

alter table app.jobs add column graph_hash bytea;  -- sha256 of the graph as it is executed
create index jobs_poisoned on app.jobs (workspace_id, graph_hash, ended_at)
    where status = 'failed' and error ->> 'code' = 'poisoned';
