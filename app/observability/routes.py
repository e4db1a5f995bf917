"""`GET /metrics`, for the operator: from this machine, or with the token of the settings."""

import hmac
import ipaddress
from typing import Final

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from pydantic import SecretStr

from app.config import Settings
from app.errors import AppError
from app.identity.auth import bearer_token
from app.observability.metrics import Scrape
from app.provided import provided

router = APIRouter(include_in_schema=False)

_FORWARDING: Final = (
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "cf-connecting-ip",
)


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """Prometheus' text format."""
    _check_reader(request, provided(request, Settings).metrics_token)
    text = await provided(request, Scrape).text()
    return Response(text, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def _check_reader(request: Request, token: SecretStr | None) -> None:
    if _is_local(request):
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


def _is_local(request: Request) -> bool:
    """A peer on this machine that speaks for itself: a proxy's word is not taken."""
    if any(name in request.headers for name in _FORWARDING):
        return False
    try:
        return request.client is not None and ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
