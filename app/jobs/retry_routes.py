"""`/api/v2/jobs/{id}/retry` and `/api/v2/jobs/retry`: ours beyond v2."""

from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from app.config import Settings
from app.errors import NotFoundError
from app.http import json_response, parse_id
from app.identity.auth import Writer
from app.jobs.links import links_of
from app.jobs.models import JobFilter
from app.jobs.render import render_job
from app.jobs.retry import RetryService
from app.jobs.routes import IdempotencyKey, JobId
from app.jobs.schemas import ExtraData, JobOut, Label, Tag
from app.jobs.submit import partner_keys
from app.jobs.transitions import EndedStatus
from app.json_input import has_body, read_model
from app.provided import provided
from gpu_functions.contract import FailureCode

router = APIRouter(prefix="/api/v2/jobs", tags=["jobs"])


class RetryRequest(BaseModel):
    """Nothing is needed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    extra_data: ExtraData | None = Field(
        default=None,
        description="Partner keys, again where the job needs them: those of the first run were "
        "deleted at its end.",
    )


class RetryAllRequest(BaseModel):
    """Which jobs to run again. All conditions must match."""

    model_config = ConfigDict(extra="forbid")

    status: list[EndedStatus] = Field(
        default=["failed"], min_length=1, description="How they ended.", examples=[["failed"]]
    )
    codes: list[FailureCode] | None = Field(
        default=None,
        min_length=1,
        description="Only those that failed with one of these codes.",
        examples=[["out_of_memory", "capacity"]],
    )
    tags: list[Tag] = Field(default_factory=list[str], description="Only those with all of them.")
    metadata: dict[Label, Label] = Field(
        default_factory=dict[str, str], description="Only those with these labels."
    )
    environment: str | None = Field(default=None, description="Only those of this environment.")
    limit: int = Field(default=100, ge=1, le=1_000, description="So many at once.")


class RetriedOut(BaseModel):
    """A new job and the one it repeats."""

    id: UUID = Field(description="The new job.")
    retry_of: UUID = Field(description="The job it repeats.")


class RetriedPage(BaseModel):
    """What was retried; empty once nothing is left."""

    jobs: list[RetriedOut]


@router.post(
    "/retry",
    status_code=201,
    response_model=RetriedPage,
    operation_id="retryJobs",
    summary="Retry many jobs",
    response_description="The new jobs.",
)
async def retry_jobs(request: Request, caller: Writer) -> Response:
    """Run again what failed and was not run again yet, oldest first: the dead letters of a bad night.

    Jobs that have been retried already are passed over, so the call can be repeated until it
    answers an empty list. So are those whose files or environment are gone.
    """
    wanted = await read_model(request, RetryAllRequest, provided(request, Settings).max_json_bytes)
    retried = await provided(request, RetryService).retry_all(
        caller.workspace_id,
        JobFilter(
            statuses=list(wanted.status),
            metadata=wanted.metadata,
            tags=wanted.tags,
            environment=wanted.environment,
        ),
        [str(code) for code in wanted.codes] if wanted.codes else None,
        wanted.limit,
    )
    jobs = [{"id": each.job_id, "retry_of": each.retry_of} for each in retried]
    return json_response({"jobs": jobs}, 201)


@router.post(
    "/{id}/retry",
    status_code=201,
    response_model=JobOut,
    operation_id="retryJob",
    summary="Retry a job",
    response_description="The new job.",
)
async def retry_job(
    request: Request, id: JobId, caller: Writer, idempotency_key: IdempotencyKey = None
) -> Response:
    """Run a job again that has ended, however it did: a new job with `retry_of`, the old one stays.

    It takes the graph as it was executed, its files, labels, tags, priority and limits. Only
    partner keys have to be sent again. A job that is still queued or running is 409
    `job_not_ended`.
    """
    job_id = parse_id(id)
    if job_id is None:
        raise NotFoundError("job")
    wanted = RetryRequest()
    if has_body(request):
        limit = provided(request, Settings).max_json_bytes
        wanted = await read_model(request, RetryRequest, limit)
    job, is_replay = await provided(request, RetryService).retry(
        caller.workspace_id, job_id, partner_keys(wanted.extra_data), idempotency_key
    )
    headers = {"Idempotent-Replayed": "true"} if is_replay else {}
    return json_response(render_job(job, links_of(request)), 201, headers)
