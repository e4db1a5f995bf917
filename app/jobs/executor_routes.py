"""`/internal`: what executors call, each address with its own kind of token."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from app.errors import NotFoundError
from app.http import parse_id
from app.identity.auth import bearer_token
from app.jobs.claiming import ClaimService
from app.jobs.lifecycle import Lifecycle
from app.jobs.repository.transitions import Fence
from app.jobs.tokens import Tokens
from app.json_input import read_model
from app.logs import learnt
from app.provided import provided
from app.workflows.environments.repository import NewEnvironment
from app.workflows.environments.service import EnvironmentService
from gpu_functions.contract import (
    ClaimRequest,
    EnvironmentRegistration,
    EventBatch,
    EventReply,
    OutputGrant,
    OutputRegistration,
    Ticket,
)


class _Plain(APIRoute):
    """Calls its function with the request and the parts of the path: they ask for nothing else.

    What FastAPI does to find that out anew for each request is a tenth of the cost of an event.
    """

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The function itself."""
        function: Callable[..., Awaitable[Response]] = self.endpoint

        async def handle(request: Request) -> Response:
            given: dict[str, Any] = request.path_params
            return await function(request, **given)

        return handle


router = APIRouter(prefix="/internal", tags=["executors"], route_class=_Plain)

MAX_CLAIM_BYTES = 16_384
MAX_EVENTS_BYTES = 786_432  # a preview of 256 KiB as base64, and transitions
MAX_REGISTRATION_BYTES = 64_000_000  # object_info of a ComfyUI with hundreds of packs


# First, since routes are tried in turn.
@router.post(
    "/jobs/{id}/events",
    response_model=EventReply,
    operation_id="takeEvents",
    summary="Report events (event token)",
)
async def take_events(request: Request, id: str) -> Response:
    """Report what happens; an empty batch says that the run lives."""
    fence = _fence(request, id)
    body = await read_model(request, EventBatch, MAX_EVENTS_BYTES)
    return _model(await provided(request, Lifecycle).take(fence, body))


@router.put(
    "/environments/{name}/{digest}",
    status_code=204,
    operation_id="registerEnvironment",
    summary="Register an environment (worker token)",
)
async def register_environment(request: Request, name: str, digest: str) -> Response:
    """A worker started and says what it can run."""
    grant = provided(request, Tokens).read_worker(bearer_token(request))
    if not grant.serves_environment(name):
        raise NotFoundError("environment")
    body = await read_model(request, EnvironmentRegistration, MAX_REGISTRATION_BYTES)
    await provided(request, EnvironmentService).register(
        NewEnvironment(
            name=name,
            digest=digest[:64],
            backend="local",
            workspaces=grant.workspaces,
            comfyui_version=body.comfyui_version,
            is_engine=body.is_engine,
            python_version=body.python_version,
            devices=body.devices,
            object_info=body.object_info,
            output_kinds=body.output_kinds,
        )
    )
    return Response(status_code=204)


@router.post(
    "/claims",
    response_model=Ticket,
    operation_id="claim",
    summary="Claim a job (worker or claim token)",
    responses={204: {"description": "No job is ready."}, 409: {"description": "Return quietly."}},
)
async def claim(request: Request) -> Response:
    """Start a job: the best ready one (worker token), or the one of a GPU call (claim token)."""
    tokens = provided(request, Tokens)
    service = provided(request, ClaimService)
    token = bearer_token(request)
    body = await read_model(request, ClaimRequest, MAX_CLAIM_BYTES)
    if body.backend == "local":
        ticket = await service.for_worker(tokens.read_worker(token), body)
    else:
        ticket = await service.for_call(tokens.read_claim(token), body)
    return _model(ticket) if ticket else Response(status_code=204)


@router.post(
    "/jobs/{id}/outputs",
    status_code=201,
    response_model=OutputGrant,
    operation_id="registerOutput",
    summary="Register an output (event token)",
)
async def register_output(request: Request, id: str) -> Response:
    """Ask for a write-once place for one output file."""
    fence = _fence(request, id)
    body = await read_model(request, OutputRegistration, MAX_CLAIM_BYTES)
    return _model(await provided(request, Lifecycle).register_output(fence, body), 201)


def _fence(request: Request, id: str) -> Fence:
    fence = provided(request, Tokens).read_events(bearer_token(request))
    if parse_id(id) != fence.job_id:
        raise NotFoundError("job")
    learnt(epoch=fence.epoch)
    return fence


def _model(body: Ticket | OutputGrant | EventReply, status: int = 200) -> Response:
    return Response(body.model_dump_json(), status_code=status, media_type="application/json")
