"""Every refusal: one exception with a stable code, one envelope, one place that renders it.

The envelope is Comfy API v2's `{"error": {"code", "message", "details"}}` for every status, the
framework's own 404, 405 and 422 included (facts/comfy-api-v2.md §5).
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from storage.protocol import StorageError, StorageFullError

log = logging.getLogger(__name__)

Details = Mapping[str, Any]


class AppError(Exception):
    """A refusal with a stable code.

    Args:
        status: HTTP status
        code: stable, machine-readable
        message: one sentence that says what to do
        details: per field or node, where there is more to say
        headers: for instance Retry-After
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Details | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = dict(headers or {})


class DatabaseUnavailableError(AppError):
    """Postgres cannot be reached: nothing was recorded, try again."""

    def __init__(self) -> None:
        super().__init__(
            503,
            "upstream_unreachable",
            "The database cannot be reached right now; nothing was recorded. Try again shortly.",
            headers={"Retry-After": "2"},
        )


class RestartingError(AppError):
    """The front door ends before the request does; whether it was carried out is unknown."""

    def __init__(self) -> None:
        super().__init__(
            503,
            "upstream_error",
            "The front door is restarting. Send the request again, with the same Idempotency-Key.",
            headers={"Retry-After": "1"},
        )


class UnexpectedError(AppError):
    """A bug of ours, without its details."""

    def __init__(self) -> None:
        super().__init__(
            500,
            "upstream_error",
            "Something failed on our side; the request id leads to its log line.",
        )


class StorageUnavailableError(AppError):
    """The place of the bytes does not answer: nothing was kept, try again."""

    def __init__(self) -> None:
        super().__init__(
            503,
            "storage_unavailable",
            "Storage cannot be reached right now; nothing was kept. Try again shortly.",
            headers={"Retry-After": "2"},
        )


class StorageIsFullError(AppError):
    """There is no room for the bytes."""

    def __init__(self) -> None:
        super().__init__(507, "storage_full", "There is no room left in storage; nothing was kept.")


class NotFoundError(AppError):
    """No such thing, or not the caller's: the two look alike on purpose."""

    def __init__(self, what: str) -> None:
        super().__init__(404, f"{what}_not_found", f"There is no such {what}.")


def envelope(error: AppError) -> Response:
    """Render an error as v2's envelope."""
    body = {
        "error": {
            "code": error.code,
            "message": error.message,
            "details": dict(error.details) if error.details else None,
        }
    }
    return Response(
        orjson.dumps(body, default=str),
        status_code=error.status,
        media_type="application/json",
        headers=error.headers,
    )


_FRAMEWORK_CODES = {
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not know that method."),
    413: ("payload_too_large", "The body is larger than this address takes."),
}


def install_error_handlers(app: FastAPI) -> None:
    """Make every error of the application leave as an envelope."""

    @app.exception_handler(AppError)
    async def refused(_request: Request, error: AppError) -> Response:
        return envelope(error)

    @app.exception_handler(StorageError)
    async def storage_failed(_request: Request, error: StorageError) -> Response:
        log.warning("storage: %s", error)
        full = isinstance(error, StorageFullError)
        return envelope(StorageIsFullError() if full else StorageUnavailableError())

    @app.exception_handler(HTTPException)
    async def framework(_request: Request, error: HTTPException) -> Response:
        code, message = _FRAMEWORK_CODES.get(
            error.status_code, ("invalid_request", str(error.detail))
        )
        return envelope(
            AppError(error.status_code, code, message, headers=dict(error.headers or {}))
        )

    @app.exception_handler(ClientDisconnect)
    async def gone(_request: Request, _error: ClientDisconnect) -> Response:
        # Nobody reads it; nginx's 499 keeps the access log from telling of a bug of ours.
        return envelope(AppError(499, "client_disconnected", "The caller went away."))

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> Response:
        return envelope(invalid_request(error.errors()))


def invalid_request(problems: Sequence[Any]) -> AppError:
    """422 with one entry per field, from pydantic's list of errors."""
    fields = [
        {"field": ".".join(str(part) for part in p["loc"]), "reason": p["msg"]} for p in problems
    ]
    first = fields[0] if fields else {"field": "body", "reason": "malformed"}
    return AppError(
        422,
        "invalid_request",
        f"{first['field'] or 'body'}: {first['reason']}",
        details={"errors": fields},
    )
