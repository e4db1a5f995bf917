"""From rows to the public JSON of jobs, with fresh URLs in it."""

from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from app.assets.media import clean_basename, is_inline
from app.jobs.models import MAX_LOG_BYTES, Job, JobLog, JsonObject, NewJob
from app.jobs.transitions import Status
from gpu_functions.contract import is_own_thumbnail
from storage.protocol import Delivery, Storage


class JobLinks(Protocol):
    """Where the links of a job lead."""

    @property
    def prefix(self) -> str:
        """Before every path."""
        ...

    @property
    def long_poll_s(self) -> float:
        """How long `urls.self` holds; 0: not at all."""
        ...

    def output(self, job_id: UUID, entry: JsonObject) -> JsonObject:
        """An entry of the manifest with its URLs."""
        ...


def render_job(job: Job, links: JobLinks) -> JsonObject:
    """A job as v2 has it."""
    base = f"{links.prefix}/api/v2/jobs/{job.id}"
    wait = f"?wait={links.long_poll_s:g}" if links.long_poll_s else ""
    return {
        "id": job.id,
        "status": job.public_status,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "completed_at": job.ended_at,
        "expires_at": job.expires_at,
        "queue_position": job.queue_position,
        "progress": job.progress,
        "outputs": [links.output(job.id, o) for o in job.outputs],
        "error": job.error,
        "metrics": _metrics(job),
        "urls": {
            "self": f"{base}{wait}",
            "events": f"{base}/events",
            "cancel": f"{base}/cancel",
            "logs": f"{base}/logs",
        },
        "metadata": job.metadata,
        "tags": job.tags,
        "environment": job.environment,
        "backend": job.backend,
        "backend_reason": job.backend_reason,
        "tries": job.tries,
        "retry_of": job.retry_of,
        "workflow": job.workflow,
        "inputs": job.workflow_inputs,
        # The SDK's list wants these names beside v2's own (facts/comfy-api-v2.md §7).
        "create_time": job.created_at,
        "update_time": job.ended_at or job.started_at or job.created_at,
    }


def render_dry_run(new: NewJob) -> JsonObject:
    """What a submit would record."""
    return {
        "valid": True,
        "environment": new.environment,
        "backend": new.backend,
        "backend_reason": new.backend_reason,
        "workflow": new.workflow,
        "inputs": new.workflow_inputs,
    }


def render_log(log: JobLog) -> JsonObject:
    """A log as the coming v2 clients read it."""
    lines = [
        f"{line.at.astimezone(UTC).isoformat(timespec='milliseconds')} "
        f"{line.data['level'].upper():7} {line.data['message']}"
        for line in log.lines
    ]
    return {
        "text": "".join(f"{line}\n" for line in lines),
        "truncated": log.job.log_bytes > MAX_LOG_BYTES,
        "captured_at": log.job.ended_at or datetime.now(UTC),
        "complete": log.job.is_terminal,
    }


def _metrics(job: Job) -> dict[str, int | None]:
    started = job.started_at
    return {
        "queue_ms": _milliseconds(started - job.created_at) if started else None,
        "execution_ms": (
            _milliseconds(job.ended_at - started) if started and job.ended_at else None
        ),
    }


def _milliseconds(span: timedelta) -> int:
    return int(span.total_seconds() * 1_000)


class Links:
    """Renders the URLs of one reply."""

    def __init__(
        self,
        *,
        storage: Storage,
        origin: str,
        prefix: str,
        url_expires_s: float,
        long_poll_s: float,
    ) -> None:
        self.prefix = prefix
        self.long_poll_s = long_poll_s
        self._storage = storage
        self._origin = origin
        self._url_expires_s = url_expires_s

    def output(self, job_id: UUID, entry: JsonObject) -> JsonObject:
        """An entry of the manifest with fresh URLs."""
        digest = entry.get("blake3")
        name, content_type = clean_basename(entry["name"]), entry["content_type"]
        output: JsonObject = {
            "id": entry["asset_id"],
            "node_id": entry["node_id"],
            "name": entry["name"],
            "type": entry["kind"],
            "content_type": content_type,
            "size_bytes": entry["size_bytes"],
            "hash": f"blake3:{digest}" if digest else None,
            "url": self._url(entry["storage_key"], content_type, name),
            "url_expires_at": datetime.now(UTC) + timedelta(seconds=self._url_expires_s),
            "job_id": job_id,
        }
        if "thumbnail_key" in entry:
            output["thumbnail_url"] = self._url(
                entry["thumbnail_key"], "image/webp", f"{name}.webp"
            )
        elif is_own_thumbnail(content_type, entry["size_bytes"]):
            output["thumbnail_url"] = output["url"]
        return output

    def _url(self, storage_key: str, content_type: str, file_name: str) -> str:
        return self._storage.sign_get(
            storage_key,
            origin=self._origin,
            delivery=Delivery(
                content_type=content_type, file_name=file_name, inline=is_inline(content_type)
            ),
            expires_s=self._url_expires_s,
        )


def status_frame(job: Job) -> JsonObject:
    """The `status` event of a job as it stands."""
    frame: JsonObject = {
        "status": job.public_status,
        "queue_position": job.queue_position,
        "tries": job.tries,
    }
    if job.status is Status.DISPATCHED:
        frame["phase"] = "starting"
    if job.error:
        frame["error"] = job.error
    return frame
