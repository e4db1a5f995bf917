"""Comfy's hosted control plane, as far as `comfy deploy run` asks it: not ours, a stand-in."""

from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request


@dataclass(slots=True)
class ControlPlane:
    """Knows one deployment, and how often it was asked for it."""

    deployment_id: str
    endpoint_url: str
    keys: list[str] = field(default_factory=list[str])

    def app(self) -> FastAPI:
        """`GET /v1/deployments/{id}`."""
        app = FastAPI()

        @app.get("/v1/deployments/{id}")
        def deployment(request: Request, id: str) -> dict[str, Any]:
            self.keys.append(request.headers.get("x-api-key", ""))
            return {
                "id": id,
                "status": "ready",
                "endpointUrl": self.endpoint_url,
                "releaseId": "release-1",
            }

        return app
