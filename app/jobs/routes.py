"""`/api/v2/jobs`: Comfy API v2's jobs."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response

from app.config import Settings
from app.errors import AppError, NotFoundError
from app.events.sse import stream_response
from app.http import json_response, parse_id
from app.identity.auth import Reader, Writer
from app.identity.models import Principal
from app.identity.service import IdentityService
from app.jobs.models import Job
from app.jobs.schemas import JobOut, JobPage, JobRequest, Links, WorkflowOut, render_job
from app.jobs.service import JobService
from app.jobs.stream import JobStream, parse_last_event_id
from app.jobs.submit import SubmitService
from app.jobs.transitions import Status
from app.jobs.waiting import JobWaiter
from app.json_input import read_json_object, validated
from app.origin import Origins
from app.provided import provided, provided_storage

router = APIRouter(prefix="/api/v2/jobs", tags=["jobs"])

MAX_WAIT_S = 25.0
_PREFER_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,4})\"?", re.IGNORECASE)
_METADATA_FILTER = re.compile(r"metadata\[(.{1,1024})\]", re.DOTALL)
_STORED: dict[str, list[str]] = {
    "queued": [Status.QUEUED, Status.DISPATCHED],
    "running": [Status.RUNNING],
    "canceling": [Status.RUNNING],
    **{s: [s] for s in ("succeeded", "failed", "canceled", "expired")},
}

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
    return json_response(render_job(job, _links(request)), 201, headers)


@router.get("", response_model=JobPage)
async def list_jobs(
    request: Request,
    caller: Reader,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    cursor: str | None = None,
    status: Annotated[str | None, Query(description="Comma separated.")] = None,
) -> Response:
    """Jobs, newest first; `metadata[key]=value` filters by label."""
    jobs, next_cursor = await provided(request, JobService).page(
        caller.workspace_id,
        cursor=cursor,
        limit=limit,
        metadata=_metadata_filters(request),
        statuses=_statuses(status),
    )
    links = _links(request)
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
    return json_response(render_job(job, _links(request)))


@router.get("/{id}/workflow", response_model=WorkflowOut)
async def get_workflow(request: Request, id: str, caller: Reader) -> Response:
    """The graph it executes, with file references resolved."""
    job_id = parse_id(id)
    if job_id is None:
        raise NotFoundError("job")
    graph = await provided(request, JobService).graph(caller.workspace_id, job_id)
    return json_response({"workflow": graph, "format": "api"})


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
            _links(request),
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
    return json_response(render_job(job, _links(request)))


async def _job(request: Request, id: str, caller: Principal) -> Job:
    job_id = parse_id(id)
    if job_id is None:
        raise NotFoundError("job")
    return await provided(request, JobService).get(caller.workspace_id, job_id)


async def _wait(request: Request, caller: Principal, job: Job, hold_s: float) -> Job:
    waiter = provided(request, JobWaiter)
    ended = await waiter.until_ended(caller.workspace_id, job.id, hold_s, request.is_disconnected)
    return ended or job


def _links(request: Request) -> Links:
    settings, origins = provided(request, Settings), provided(request, Origins)
    return Links(
        storage=provided_storage(request),
        origin=origins.of(request),
        prefix=origins.prefix(),
        url_expires_s=settings.url_expires_s,
        long_poll_s=settings.long_poll_s,
    )


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


def _statuses(text: str | None) -> list[str] | None:
    if not text:
        return None
    stored: list[str] = []
    for status in text.split(","):
        if status not in _STORED:
            raise AppError(
                400, "invalid_request", f"status: {status[:40]!r} is not one of v2's statuses."
            )
        stored += _STORED[status]
    return stored
