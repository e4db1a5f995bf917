"""What a list of jobs is filtered by, as the query says it."""

import re
from typing import Any, Final, get_args

from fastapi import Request

from app.errors import AppError
from app.jobs.models import JobFilter
from app.jobs.transitions import PublicStatus
from app.workflows.registry.names import REFERENCE_SHAPE, Reference

_METADATA_FILTER: Final = re.compile(r"metadata\[(.{1,1024})\]", re.DOTALL)
_STATUSES: Final[tuple[PublicStatus, ...]] = get_args(PublicStatus)


def read_filter(
    request: Request,
    *,
    status: str | None,
    tags: list[str],
    environment: str | None,
    workflow: str | None,
) -> JobFilter:
    """The conditions of a query; `metadata[…]` is read from the request itself.

    Raises:
        AppError: 400 `invalid_request`, `invalid_metadata_filter`.
    """
    return JobFilter(
        statuses=_statuses(status),
        metadata=_metadata_filters(request),
        tags=_without_nul("tag", tags),
        environment=_without_nul("environment", [environment])[0] if environment else None,
        **_of_workflow(workflow),
    )


def _metadata_filters(request: Request) -> dict[str, str]:
    filters: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        match = _METADATA_FILTER.fullmatch(name)
        if not match:
            continue
        if "\x00" in name + value:
            raise AppError(400, "invalid_metadata_filter", "NUL characters are not allowed.")
        filters[match[1]] = value
    return filters


def _of_workflow(text: str | None) -> dict[str, Any]:
    if text is None:
        return {}
    wanted = Reference.parse(text)
    if wanted is None:
        raise AppError(400, "invalid_request", f"workflow: write {REFERENCE_SHAPE}.")
    return {"workflow": wanted.name, "workflow_version": wanted.version if "@" in text else None}


def _statuses(text: str | None) -> list[PublicStatus]:
    wanted = text.split(",") if text else []
    for status in wanted:
        if status not in _STATUSES:
            raise AppError(
                400, "invalid_request", f"status: {status[:40]!r} is not one of v2's statuses."
            )
    return [status for status in _STATUSES if status in wanted]


def _without_nul(name: str, values: list[str]) -> list[str]:
    if any("\x00" in value for value in values):
        raise AppError(400, "invalid_request", f"{name}: NUL characters are not allowed.")
    return values
