"""A new job: its row, its first event and its secrets in one statement, unless its key is taken."""

from typing import Any, LiteralString

from psycopg.types.json import Json, Jsonb

from app.jobs.models import NewJob
from app.jobs.repository.statement import tries_allowed

SUBMIT: LiteralString = f"""
with job as (
    insert into app.jobs (id, workspace_id, backend, backend_reason, environment, graph, graph_hash, inputs,
        metadata, tags, priority, max_tries, start_by, deadline_s, expires_at, idempotency_key, request_hash,
        webhook_url, strip_metadata, workflow_version_id, workflow_inputs)
    values (%(id)s, %(workspace_id)s, %(backend)s, %(backend_reason)s, %(environment)s, %(graph)s,
        %(graph_hash)s, %(inputs)s, %(metadata)s, %(tags)s, %(priority)s,
        {tries_allowed("%(workspace_id)s", "%(graph_hash)s", "%(max_tries)s")},
        now() + make_interval(secs => %(start_within_s)s), %(deadline_s)s,
        now() + make_interval(secs => %(retention_s)s), %(idempotency_key)s, %(request_hash)s,
        %(webhook_url)s, %(strip_metadata)s, %(workflow_version_id)s, %(workflow_inputs)s)
    on conflict (workspace_id, idempotency_key) where idempotency_key is not null do nothing
    returning id, workspace_id, status, seq, epoch, max_tries, created_at, expires_at, run_after
), signer as (
    -- The first job with a webhook_url makes what signs for all of its workspace.
    insert into app.webhook_endpoints (id, workspace_id, events, secret)
    select %(signer_id)s, workspace_id, '{{*}}', %(signer_secret)s::bytea from job
    where %(signer_id)s::uuid is not null
    on conflict (workspace_id) where url is null do nothing
), logged as (
    insert into app.job_events (workspace_id, job_id, seq, epoch, type, data)
    select workspace_id, id, seq, epoch, 'status',
        jsonb_build_object('status', 'queued', 'tries', 0) from job
), kept as (
    insert into app.job_secrets (job_id, ciphertext)
    select id, %(secrets)s::bytea from job where %(secrets)s::bytea is not null
)
select * from job
"""


def submit_params(job: NewJob) -> dict[str, Any]:
    """What SUBMIT is given."""
    return {
        "id": job.id,
        "workspace_id": job.workspace_id,
        "backend": job.backend,
        "backend_reason": job.backend_reason,
        "environment": job.environment,
        "graph": Json(job.graph),
        "graph_hash": job.graph_hash,
        "inputs": Jsonb([{"asset_id": i.asset_id, "file_name": i.file_name} for i in job.inputs]),
        "metadata": Jsonb(job.metadata),
        "tags": job.tags,
        "priority": job.priority,
        "max_tries": job.max_tries,
        "start_within_s": job.start_within_s,
        "deadline_s": job.deadline_s,
        "retention_s": job.retention_s,
        "idempotency_key": job.idempotency_key,
        "request_hash": job.request_hash,
        "secrets": job.secrets,
        "strip_metadata": job.strip_metadata,
        "workflow_version_id": job.version.id if job.version else None,
        "workflow_inputs": None if job.workflow_inputs is None else Json(job.workflow_inputs),
        "webhook_url": job.webhook.url if job.webhook else None,
        "signer_id": job.webhook.signer_id if job.webhook else None,
        "signer_secret": job.webhook.signer_secret if job.webhook else None,
    }
