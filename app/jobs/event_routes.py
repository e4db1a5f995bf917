"""`/api/v2/events`: one stream for all jobs of a workspace."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response

from app.events.streams import Streams
from app.identity.auth import Reader
from app.identity.service import IdentityService
from app.jobs.links import links_of
from app.jobs.workspace_stream import WorkspaceStream, read_cursor
from app.provided import provided

router = APIRouter(prefix="/api/v2/events", tags=["events"])


@router.get(
    "",
    response_class=Response,
    operation_id="getEvents",
    summary="Follow all jobs",
)
async def get_workspace_events(
    request: Request,
    caller: Reader,
    cursor: Annotated[
        str | None,
        Query(
            description="Resume here: the `id` of a frame. `Last-Event-ID` does the same and wins.",
            examples=["AAZhCfAUgO8"],
        ),
    ] = None,
    *,
    previews: Annotated[
        bool, Query(description="Latent previews as well, up to 256 KiB each.")
    ] = False,
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            description="The `id` of the last frame seen; browsers send it by themselves.",
            examples=["AAZhCfAUgO8"],
        ),
    ] = None,
) -> Response:
    """Server-sent events of every job of the workspace: for dashboards and for many jobs at once.

    The first frame is `ready`; `status`, `output`, `log` and `progress` follow, each with its
    `job_id`. It does not begin with the state of jobs that exist: open it, then list them. It
    ends only with the key.

    After a resume nothing is missing, but an event may come again: drop those whose `seq` is not
    above the newest known of the same job. Ours; v2 has one stream per job.
    """
    identity = provided(request, IdentityService)
    given = last_event_id or cursor

    async def still_good() -> bool:
        return await identity.still_good(caller)

    return provided(request, Streams).respond(
        provided(request, WorkspaceStream).read(
            caller.workspace_id,
            links_of(request),
            cursor=read_cursor(given) if given else None,
            previews=previews,
            still_good=still_good,
        )
    )
