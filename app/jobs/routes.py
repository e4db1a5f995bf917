"""`/api/v2/jobs`: Comfy API v2's jobs."""

import re
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Header, Query, Request, Response

from app.config import Settings
from app.errors import AppError, NotFoundError
from app.events.sse import stream_response
from app.http import json_response, parse_id
from app.identity.auth import Reader, Writer
from app.identity.models import Principal
from app.identity.service import IdentityService
from app.jobs.links import links_of
from app.jobs.models import Job, JobFilter
from app.jobs.render import render_job, render_log
from app.jobs.schemas import JobLogOut, JobOut, JobPage, JobRequest, WorkflowOut
from app.jobs.service import JobService
from app.jobs.stream import JobStream, parse_last_event_id
from app.jobs.submit import SubmitService
from app.jobs.transitions import PublicStatus
from app.jobs.waiting import JobWaiter
from app.json_input import read_json_object, validated
from app.provided import provided

router = APIRouter(prefix="/api/v2/jobs", tags=["jobs"])

MAX_WAIT_S = 25.0
_PREFER_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,4})\"?", re.IGNORECASE)
_METADATA_FILTER = re.compile(r"metadata\[(.{1,1024})\]", re.DOTALL)
_STATUSES: tuple[PublicStatus, ...] = get_args(PublicStatus)

_JOB_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": JobRequest.model_json_schema()}},
    }
}


@router.post("", status_code=201, response_model=JobOut, openapi_extra=_JOB_BODY)
async def submit_job(
    request: Request,
    caller: Writer,
    idempotency_key: Annotated[str | None, Header(description="Same key, same job.")] = None,
    prefer: Annotated[str | None, Header(description="`wait=20`: answer when it ended.")] = None,
) -> Response:
    """Record a job. 201 means that it is kept and reaches exactly one end."""
    body = await read_json_object(request, provided(request, Settings).max_json_bytes)
    job, is_replay = await provided(request, SubmitService).submit(
        caller.workspace_id, _job_request(body), idempotency_key
    )
    headers = {"Idempotent-Replayed": "true"} if is_replay else {}
    hold_s = _preferred_wait(prefer)
    if hold_s:
        headers["Preference-Applied"] = f"wait={hold_s:g}"
        job = await _wait(request, caller, job, hold_s)
    return json_response(render_job(job, links_of(request)), 201, headers)


@router.get("", response_model=JobPage)
async def list_jobs(
    request: Request,
    caller: Reader,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: str | None = None,
    status: Annotated[str | None, Query(description="Comma separated.")] = None,
    tag: Annotated[list[str] | None, Query(description="Repeat it: jobs with all of them.")] = None,
    environment: str | None = None,
) -> Response:
    """Jobs, newest first; `metadata[key]=value` filters by label."""
    jobs, next_cursor = await provided(request, JobService).page(
        caller.workspace_id,
        cursor=cursor,
        limit=limit,
        wanted=JobFilter(
            statuses=_statuses(status),
            metadata=_metadata_filters(request),
            tags=_without_nul("tag", tag or []),
            environment=_without_nul("environment", [environment])[0] if environment else None,
        ),
    )
    links = links_of(request)
    page: dict[str, Any] = {"jobs": [render_job(job, links) for job in jobs]}
    if next_cursor:
        page["next_cursor"] = next_cursor
    return json_response(page)


@router.get("/{id}", response_model=JobOut)
async def get_job(
    request: Request,
    id: str,
    caller: Reader,
    wait: Annotated[float, Query(ge=0, description="Hold until it ends, seconds.")] = 0,
    prefer: Annotated[str | None, Header()] = None,
) -> Response:
    """A job as it stands; with `wait` as soon as it has ended."""
    job = await _job(request, id, caller)
    hold_s = min(wait or _preferred_wait(prefer), MAX_WAIT_S)
    if hold_s and not job.is_terminal:
        job = await _wait(request, caller, job, hold_s)
    return json_response(render_job(job, links_of(request)))


@router.get("/{id}/workflow", response_model=WorkflowOut)
async def get_workflow(request: Request, id: str, caller: Reader) -> Response:
    """The graph it executes, with file references resolved."""
    job_id = parse_id(id)
    if job_id is None:
        raise NotFoundError("job")
    graph = await provided(request, JobService).graph(caller.workspace_id, job_id)
    return json_response({"workflow": graph, "format": "api"})


@router.get(
    "/{id}/logs", response_model=JobLogOut, responses={204: {"description": "Nothing was logged."}}
)
async def get_log(request: Request, id: str, caller: Reader) -> Response:
    """What the job has logged so far: warnings and what its nodes wanted to be known."""
    job_id = parse_id(id)
    if job_id is None:
        raise NotFoundError("job")
    found = await provided(request, JobService).log(caller.workspace_id, job_id)
    return json_response(render_log(found)) if found else Response(status_code=204)


@router.get("/{id}/events", response_class=Response)
async def get_events(
    request: Request,
    id: str,
    caller: Reader,
    last_event_id: Annotated[str | None, Header(description="Resume after this event.")] = None,
) -> Response:
    """Server-sent events: `status`, `progress`, `preview`, `output`, `log`; ends with the job."""
    job = await _job(request, id, caller)
    identity = provided(request, IdentityService)

    async def still_good() -> bool:
        return await identity.still_good(caller)

    return stream_response(
        provided(request, JobStream).read(
            job,
            links_of(request),
            last_event_id=parse_last_event_id(last_event_id),
            still_good=still_good,
        )
    )


@router.post("/{id}/cancel", response_model=JobOut)
async def cancel_job(request: Request, id: str, caller: Writer) -> Response:
    """Cancel. Queued: at once; running: `canceling`, then `canceled`; ended: as it is."""
    job_id = parse_id(id)
    if job_id is None:
        raise NotFoundError("job")
    job = await provided(request, JobService).cancel(caller.workspace_id, job_id)
    return json_response(render_job(job, links_of(request)))


async def _job(request: Request, id: str, caller: Principal) -> Job:
    job_id = parse_id(id)
    if job_id is None:
        raise NotFoundError("job")
    return await provided(request, JobService).get(caller.workspace_id, job_id)


async def _wait(request: Request, caller: Principal, job: Job, hold_s: float) -> Job:
    waiter = provided(request, JobWaiter)
    ended = await waiter.until_ended(caller.workspace_id, job.id, hold_s, request.is_disconnected)
    return ended or job


def _job_request(body: dict[str, Any]) -> JobRequest:
    if isinstance(body.get("workflow"), str):
        raise AppError(
            422,
            "invalid_workflow",
            "Named workflows are not offered yet; send the API-format graph itself.",
        )
    return validated(JobRequest, body)


def _preferred_wait(prefer: str | None) -> float:
    match = _PREFER_WAIT.search(prefer or "")
    return min(float(match[1]), MAX_WAIT_S) if match else 0.0


def _metadata_filters(request: Request) -> dict[str, str]:
    filters: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        match = _METADATA_FILTER.fullmatch(name)
        if not match:
            continue
        if "\x00" in name + value:
            raise AppError(400, "invalid_metadata_filter", "NUL characters are not allowed.")
        filters[match[1]] = value
    return filters


def _statuses(text: str | None) -> list[PublicStatus]:
    wanted = text.split(",") if text else []
    for status in wanted:
        if status not in _STATUSES:
            raise AppError(
                400, "invalid_request", f"status: {status[:40]!r} is not one of v2's statuses."
            )
    return [status for status in _STATUSES if status in wanted]


def _without_nul(name: str, values: list[str]) -> list[str]:
    if any("\x00" in value for value in values):
        raise AppError(400, "invalid_request", f"{name}: NUL characters are not allowed.")
    return values
