"""What routes ask for: the caller, with the scope they need."""

from typing import Annotated

from fastapi import Depends, Request

from app.errors import AppError
from app.identity.models import Principal, Scope
from app.identity.service import IdentityService
from app.provided import provided


def bearer_token(request: Request) -> str:
    """The bearer credential, or the empty string. Never taken from a URL or a cookie."""
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""


async def caller_of(request: Request, scope: Scope) -> Principal:
    """Who is calling; raises AppError 401, and 403 where the key does not carry the scope."""
    identity = provided(request, IdentityService)
    principal = await identity.authenticate(bearer_token(request))
    request.state.workspace_id = principal.workspace_id
    if not principal.may(scope):
        raise AppError(403, "forbidden", f"This key does not carry the scope {scope!r}.")
    return principal


async def _reader(request: Request) -> Principal:
    return await caller_of(request, "jobs:read")


async def _writer(request: Request) -> Principal:
    return await caller_of(request, "jobs:write")


async def _workflow_writer(request: Request) -> Principal:
    return await caller_of(request, "workflows:write")


Reader = Annotated[Principal, Depends(_reader)]
Writer = Annotated[Principal, Depends(_writer)]
WorkflowWriter = Annotated[Principal, Depends(_workflow_writer)]
