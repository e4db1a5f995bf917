"""A job as webhooks tell of it: v2's job, with links that last as long as the job does.

A payload is stored and sent for days, so it carries no signed URL: `url` of an output is
`/assets/{id}/content`, which wants a key and answers with the bytes or a fresh signed URL.
"""

from dataclasses import dataclass
from uuid import UUID

from app.jobs.models import JsonObject
from app.jobs.render import render_job
from app.jobs.repository.queries import JobQueries


@dataclass(frozen=True, slots=True)
class LastingLinks:
    """Absolute links of which none is signed."""

    prefix: str
    """Origin and prefix under which callers reach us, without a trailing slash."""
    long_poll_s: float = 0.0

    def output(self, job_id: UUID, entry: JsonObject) -> JsonObject:
        """An entry of the manifest."""
        digest = entry.get("blake3")
        return {
            "id": entry["asset_id"],
            "node_id": entry["node_id"],
            "name": entry["name"],
            "type": entry["kind"],
            "content_type": entry["content_type"],
            "size_bytes": entry["size_bytes"],
            "hash": f"blake3:{digest}" if digest else None,
            "url": f"{self.prefix}/api/v2/assets/{entry['asset_id']}/content",
            "job_id": job_id,
        }


@dataclass(frozen=True, slots=True)
class JobNotices:
    """Renders jobs for webhooks."""

    queries: JobQueries
    links: LastingLinks

    async def render(self, workspace_id: UUID, job_id: UUID) -> JsonObject | None:
        """The job as it stands; None if it is past its retention."""
        job = await self.queries.get(workspace_id, job_id)
        return render_job(job, self.links) if job else None
