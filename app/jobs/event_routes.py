"""`/api/v2/events`: one stream for all jobs of a workspace."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from app.events.sse import stream_response
from app.identity.auth import Reader
from app.identity.service import IdentityService
from app.jobs.links import links_of
from app.jobs.workspace_stream import WorkspaceStream, read_cursor
from app.provided import provided

router = APIRouter(prefix="/api/v2/events", tags=["events"])


@router.get("", response_class=Response)
async def get_workspace_events(
    request: Request,
    caller: Reader,
    cursor: Annotated[
        str | None, Query(description="Resume here; `Last-Event-ID` does the same.")
    ] = None,
    *,
    previews: Annotated[bool, Query(description="Latent previews as well.")] = False,
    last_event_id: Annotated[str | None, Header(description="The `id` of the last frame.")] = None,
) -> Response:
    """Server-sent events of every job: `status`, `output`, `log`, `progress`, each with its `job_id`.

    The first frame is `ready`. After a resume an event may come again: drop those whose `seq` is not
    above the newest known of the same job.
    """
    identity = provided(request, IdentityService)
    given = last_event_id or cursor

    async def still_good() -> bool:
        return await identity.still_good(caller)

    return stream_response(
        provided(request, WorkspaceStream).read(
            caller.workspace_id,
            links_of(request),
            cursor=read_cursor(given) if given else None,
            previews=previews,
            still_good=still_good,
        )
    )
