"""`/api/v2/jobs`: Comfy API v2's jobs."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request, Response

from app.config import Settings
from app.errors import NotFoundError
from app.events.streams import Streams
from app.http import json_response, page_response, parse_id
from app.identity.auth import Reader, Writer
from app.identity.models import Principal
from app.identity.service import IdentityService
from app.jobs.filters import read_filter
from app.jobs.links import links_of
from app.jobs.models import Job
from app.jobs.render import render_dry_run, render_job, render_log
from app.jobs.schemas import DryRunOut, JobLogOut, JobOut, JobPage, JobRequest, WorkflowOut
from app.jobs.service import JobService
from app.jobs.stream import JobStream, parse_last_event_id
from app.jobs.submit import SubmitService
from app.jobs.waiting import JobWaiter
from app.json_input import read_json_object, validated
from app.provided import provided

router = APIRouter(prefix="/api/v2/jobs", tags=["jobs"])

MAX_WAIT_S = 25.0
_PREFER_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?(\d{1,4})\"?", re.IGNORECASE)
_CURSOR = "AaIO1PrxcMe4cv6TvpWeLw"

JobId = Annotated[
    str,
    Path(description="`id` of the job.", examples=["01a20ed4-faf1-70c7-b872-fe93be959e2f"]),
]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="1 to 255 characters of yours, a UUID say. Kept for 24 h; a request that "
        "is refused leaves it free.",
        examples=["3f0c5a8e-6c0b-4d43-9a3e-9b1b6f8f0d11"],
    ),
]
Prefer = Annotated[
    str | None,
    Header(
        alias="Prefer",
        description="`wait=20`: answer when the job has ended, at most so many seconds later and "
        "never more than 25 (RFC 7240).",
        examples=["wait=20"],
    ),
]
NoRetry = Annotated[
    str | None,
    Header(
        alias="X-No-Retry",
        description="`1`: one start at most, as `max_tries: 1`; for clients that set headers only.",
        examples=["1"],
    ),
]
_YES = ("1", "true")


@router.post(
    "",
    status_code=201,
    response_model=JobOut,
    operation_id="postJobs",
    summary="Submit a job",
    response_description="Recorded. It reaches exactly one end, whatever dies meanwhile.",
    responses={200: {"model": DryRunOut, "description": "A dry run: all of it is right."}},
)
async def submit_job(
    request: Request,
    caller: Writer,
    idempotency_key: IdempotencyKey = None,
    prefer: Prefer = None,
    no_retry: NoRetry = None,
    dry_run: Annotated[  # noqa: FBT002 - a query parameter
        bool,
        Query(description="True: check everything and record nothing; see the answer 200."),
    ] = False,
) -> Response:
    """Record a workflow as a job and answer at once: a graph, or the name of one that was pushed.

    The graph is checked before anything is queued: node classes, required inputs, types, links,
    cycles, files. Every node that is wrong is named in `details.node_errors`, so a mistake costs
    no GPU second.

    Beyond v2: `tags`, `priority`, `deadline_s`, `max_tries`, `strip_metadata` and `environment`; and

    * **`Idempotency-Key`** makes a retry safe. The same key with the same body answers the same job,
      201 again, with `Idempotent-Replayed: true`; with another body it is 422
      `idempotency_key_reuse`, and `details.job_id` names the job. (An operator may choose v2's
      letter, under which every second use is refused.)
    * **`Prefer: wait=20`** turns submit and wait into one call.
    * **`webhook_url`** is called when the job has ended; see the chapter Webhooks.

    A workflow that was pushed is run by name, `poster`, `poster@3` or `poster@prod`, with `inputs`. What
    is wrong with them is said of all at once: 422 `invalid_inputs`. The job keeps the version that the
    name led to. Clients that take only an object write `{"name": "poster@3", "inputs": {…}}` as
    `workflow`. A file as the ComfyUI editor saves it is converted.
    """
    body = await read_json_object(request, provided(request, Settings).max_json_bytes)
    wanted = _job_request(body)
    if no_retry in _YES:
        wanted.max_tries = 1
    if dry_run:
        would = await provided(request, SubmitService).dry_run(caller.workspace_id, wanted)
        return json_response(render_dry_run(would))
    job, is_replay = await provided(request, SubmitService).submit(
        caller.workspace_id, wanted, idempotency_key
    )
    headers = {"Idempotent-Replayed": "true"} if is_replay else {}
    hold_s = _preferred_wait(prefer)
    if hold_s:
        headers["Preference-Applied"] = f"wait={hold_s:g}"
        job = await _wait(request, caller, job, hold_s)
    return json_response(render_job(job, links_of(request)), 201, headers)


@router.get(
    "",
    response_model=JobPage,
    operation_id="listJobs",
    summary="List jobs",
    response_description="One page.",
)
async def list_jobs(
    request: Request,
    caller: Reader,
    limit: Annotated[int, Query(ge=1, le=100, description="Jobs on a page.")] = 20,
    cursor: Annotated[
        str | None, Query(description="`next_cursor` of the page before.", examples=[_CURSOR])
    ] = None,
    status: Annotated[
        str | None, Query(description="Comma separated.", examples=["queued,running"])
    ] = None,
    tag: Annotated[
        list[str] | None,
        Query(description="Repeat it: jobs with all of them.", examples=[["poster"]]),
    ] = None,
    environment: Annotated[
        str | None, Query(description="Jobs of this environment.", examples=["local"])
    ] = None,
    workflow: Annotated[
        str | None,
        Query(
            description="Jobs of this named workflow: `poster` of every version, `poster@3` of one.",
            examples=["poster"],
        ),
    ] = None,
) -> Response:
    """The workspace's jobs, newest first, each as `GET /jobs/{id}` shows it.

    All filters must match. Pages are cut by place, not by number: jobs that arrive meanwhile neither
    repeat nor hide one. v2's document has no listing; the shape is the one `comfy-sdk` reads, and
    `status`, `tag` and `environment` are ours. To follow many jobs, read `GET /events` instead.
    """
    jobs, next_cursor = await provided(request, JobService).page(
        caller.workspace_id,
        cursor=cursor,
        limit=limit,
        wanted=read_filter(
            request, status=status, tags=tag or [], environment=environment, workflow=workflow
        ),
    )
    links = links_of(request)
    return page_response("jobs", [render_job(job, links) for job in jobs], next_cursor)


@router.get(
    "/{id}",
    response_model=JobOut,
    operation_id="getJob",
    summary="Get a job",
    response_description="The job as it stands.",
)
async def get_job(
    request: Request,
    id: JobId,
    caller: Reader,
    wait: Annotated[
        float,
        Query(
            ge=0,
            description="Hold the answer until the job has ended, so many seconds at most; above "
            "25 it is 25.",
            examples=[20],
        ),
    ] = 0,
    prefer: Prefer = None,
) -> Response:
    """The truth about a job: status, newest progress, every output so far, and why it failed.

    Without `wait` it answers at once. With it, the answer comes milliseconds after the job has
    ended, or as the job stands when the time is up: compare `status`. `urls.self` carries `wait`
    already, so whoever follows it (the official SDKs do) polls without polling. Waiting holds no
    database connection.

    A job that is not yours and one that never was are both 404 `job_not_found`; so is one past
    its `expires_at`.
    """
    job = await _job(request, id, caller)
    hold_s = min(wait or _preferred_wait(prefer), MAX_WAIT_S)
    if hold_s and not job.is_terminal:
        job = await _wait(request, caller, job, hold_s)
    return json_response(render_job(job, links_of(request)))


@router.get(
    "/{id}/workflow",
    response_model=WorkflowOut,
    operation_id="getJobWorkflow",
    summary="Get a job's workflow",
    response_description="The graph.",
)
async def get_workflow(request: Request, id: JobId, caller: Reader) -> Response:
    """The graph the job executes: what was submitted, with files resolved and doors closed.

    Use it to see or repeat what made a picture. References to files have become the names the
    files have in ComfyUI's input folder. `extra_data` is never part of it. Always `format: api`.
    """
    job_id = parse_id(id)
    if job_id is None:
        raise NotFoundError("job")
    graph = await provided(request, JobService).graph(caller.workspace_id, job_id)
    return json_response({"workflow": graph, "format": "api"})


@router.get(
    "/{id}/logs",
    response_model=JobLogOut,
    operation_id="getJobLogs",
    summary="Get a job's log",
    response_description="The log so far.",
    responses={204: {"description": "Nothing was logged."}},
)
async def get_log(request: Request, id: JobId, caller: Reader) -> Response:
    """What the job has logged so far: warnings, and what its nodes wanted to be known.

    The same lines come as `log` events while it runs. Ours beyond v2, in the shape its coming
    clients read; `urls.logs` leads here.
    """
    job_id = parse_id(id)
    if job_id is None:
        raise NotFoundError("job")
    found = await provided(request, JobService).log(caller.workspace_id, job_id)
    return json_response(render_log(found)) if found else Response(status_code=204)


@router.get(
    "/{id}/events",
    response_class=Response,
    operation_id="getJobEvents",
    summary="Follow a job",
)
async def get_events(
    request: Request,
    id: JobId,
    caller: Reader,
    last_event_id: Annotated[
        str | None,
        Header(
            alias="Last-Event-ID",
            description="Resume after this event; anything that is not an id of this job is "
            "ignored.",
            examples=["2"],
        ),
    ] = None,
) -> Response:
    """Server-sent events of one job, from its state now to its end.

    First comes the state: `status`, the newest `progress` and `preview`, the outputs so far. Then
    what happens. Every `output` comes before the last `status`, and with that the stream closes.
    Comments keep it open meanwhile, one in 10 s.

    Beyond v2, frames that tell of something lasting carry an `id`: `Last-Event-ID` resumes
    behind it without a gap and without repetition. `progress` and `preview` carry none; only the
    newest counts. A stream also ends when its key is revoked.
    """
    job = await _job(request, id, caller)
    identity = provided(request, IdentityService)

    async def still_good() -> bool:
        return await identity.still_good(caller)

    return provided(request, Streams).respond(
        provided(request, JobStream).read(
            job,
            links_of(request),
            last_event_id=parse_last_event_id(last_event_id),
            still_good=still_good,
        )
    )


@router.post(
    "/{id}/cancel",
    response_model=JobOut,
    operation_id="cancelJob",
    summary="Cancel a job",
    response_description="The job now.",
)
async def cancel_job(request: Request, id: JobId, caller: Writer) -> Response:
    """Cancel a job, whatever it is doing; asking again changes nothing.

    Queued: `canceled` at once. Running: `canceling`, and `canceled` when ComfyUI has let go, or
    after a grace of 15 s without it. Ended: answered as it is. A job that was answered
    `canceling` never ends in `succeeded`; outputs it had finished stay.
    """
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
    match body.get("workflow"):
        # The official SDKs send `workflow` as an object and nothing beside it. No node is a text.
        case {"name": str(name), **rest} if rest.keys() <= {"inputs"} and "inputs" not in body:
            return validated(JobRequest, {**body, **rest, "workflow": name})
        case _:
            return validated(JobRequest, body)


def _preferred_wait(prefer: str | None) -> float:
    match = _PREFER_WAIT.search(prefer or "")
    return min(float(match[1]), MAX_WAIT_S) if match else 0.0
