"""`GET /metrics`, for the operator: from this machine, or with the token of the settings."""

import hmac

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import SecretStr

from app.config import Settings
from app.errors import AppError
from app.identity.auth import bearer_token
from app.observability.metrics import Scrape
from app.peer import is_local
from app.provided import provided

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Prometheus' text format."""
    _check_reader(request, provided(request, Settings).metrics_token)
    text = await provided(request, Scrape).text()
    return Response(text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def _check_reader(request: Request, token: SecretStr | None) -> None:
    if is_local(request):
        return
    wanted = token.get_secret_value() if token else ""
    if not wanted:
        raise AppError(404, "not_found", "There is nothing at this address.")
    if not hmac.compare_digest(bearer_token(request).encode(), wanted.encode()):
        raise AppError(
            401,
            "unauthorized",
            "Send `Authorization: Bearer` with the value of COMFYBURST_METRICS_TOKEN.",
            headers={"WWW-Authenticate": "Bearer"},
        )
