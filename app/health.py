"""`/healthz`: the process answers. `/readyz`: it can do its work. `/api/v2/health`: v2's own."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from app.db.migrate import pending
from app.db.postgres import Database
from app.errors import AppError
from app.http import json_response
from app.provided import provided
from app.workflows.environments.service import EnvironmentService

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"]


class V2Health(BaseModel):
    """As the official proxy answers."""

    status: Literal["healthy"]
    upstream: Literal["comfyburst"]


class EnvironmentOut(BaseModel):
    """A ComfyUI that a worker has registered."""

    name: str = Field(description="`environment` of a job.")
    backend: str
    comfyui_version: str
    is_engine: bool = Field(description="The embedded engine, which is not ComfyUI.")
    digest: str = Field(description="Of its versions and nodes.")
    registered_at: datetime


class Ready(BaseModel):
    """It can do its work."""

    status: Literal["ready"]
    environments: list[EnvironmentOut]


@dataclass(slots=True)
class Readiness:
    """Whether the database is there and migrated."""

    database: Database
    _ready: bool = field(default=False)

    async def confirmed(self) -> bool:
        """As last seen; looks again while the answer is no."""
        if not self._ready:
            await self.check()
        return self._ready

    async def check(self) -> list[str]:
        """Look again; returns the versions that are still to be applied."""
        try:
            async with self.database.transaction() as cursor:
                missing = await pending(cursor.connection)
        except AppError:
            self._ready = False
            raise
        self._ready = not missing
        return missing


@router.get(
    "/healthz",
    operation_id="getLiveness",
    summary="Is the process there?",
    response_description="It is.",
)
async def healthz() -> Alive:
    """Answers without looking at anything: restart the process where this does not come."""
    return Alive(status="ok")


@router.get(
    "/api/v2/health",
    operation_id="getHealth",
    summary="Is this a Comfy API?",
    response_description="It is.",
)
async def v2_health() -> V2Health:
    """What v2's clients ask before they begin; says nothing about the database or workers."""
    return V2Health(status="healthy", upstream="comfyburst")


@router.get(
    "/readyz",
    response_model=Ready,
    operation_id="getReadiness",
    summary="Can it do its work?",
    response_description="The database is there and migrated.",
)
async def readyz(request: Request) -> Response:
    """Whether the database is there and migrated, and which environments have registered.

    Send callers here only while it answers 200. No environment is no fault: jobs are taken and
    wait for a worker.
    """
    missing = await provided(request, Readiness).check()
    if missing:
        raise AppError(
            503,
            "not_migrated",
            f"Migrations are missing: {', '.join(missing)}. Run `comfyburst migrate`.",
            headers={"Retry-After": "5"},
        )
    environments = await provided(request, EnvironmentService).all()
    return json_response(
        {
            "status": "ready",
            "environments": [
                {
                    "name": e.name,
                    "backend": e.backend,
                    "comfyui_version": e.comfyui_version,
                    "is_engine": e.is_engine,
                    "digest": e.digest,
                    "registered_at": e.registered_at,
                }
                for e in environments
            ],
        }
    )
