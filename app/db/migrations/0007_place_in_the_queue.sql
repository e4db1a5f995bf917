-- A job that is started again keeps its place: by priority and age, whenever it may run next.

drop index app.jobs_ready;
create index jobs_ready on app.jobs (backend, workspace_id, priority desc, id) include (environment, run_after)
    where status = 'queued';
