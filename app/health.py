"""`/healthz`: the process answers. `/readyz`: it can do its work. `/api/v2/health`: v2's own."""

from dataclasses import dataclass, field

from fastapi import APIRouter, Request, Response

from app.db.migrate import pending
from app.db.postgres import Database
from app.errors import AppError
from app.http import json_response
from app.provided import provided
from app.workflows.environments.service import EnvironmentService

router = APIRouter(tags=["health"])


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


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/api/v2/health")
async def v2_health() -> dict[str, str]:
    """As the official proxy answers."""
    return {"status": "healthy", "upstream": "comfyburst"}


@router.get("/readyz", response_model=None)
async def readyz(request: Request) -> Response:
    """The database is reachable and migrated; names the environments that have registered."""
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
