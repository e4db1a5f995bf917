"""What a caller of /api/jobs wants to see: which jobs, in which order, how many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from comfy_images.engine.node_type import JsonObject

_STATUSES = ("pending", "in_progress", "completed", "failed")


class BadQueryError(ValueError):
    """A query parameter that cannot be; the message is for the caller."""


@dataclass(frozen=True, slots=True)
class JobQuery:
    """What the caller of the list wants to see."""

    statuses: frozenset[str]
    workflow_id: str | None
    by_duration: bool
    descending: bool
    offset: int
    limit: int | None

    @classmethod
    def of(cls, query: Mapping[str, str]) -> JobQuery:
        """Read the query.

        Raises:
            BadQueryError: One of its parameters is wrong.
        """
        statuses = [one for one in query.get("status", "").split(",") if one]
        unknown = [one for one in statuses if one not in _STATUSES]
        if unknown:
            valid = ", ".join(_STATUSES)
            raise BadQueryError(
                f"Invalid status value(s): {', '.join(unknown)}. Valid values: {valid}"
            )
        sort_by, order = query.get("sort_by", "created_at"), query.get("sort_order", "desc")
        if sort_by not in {"created_at", "execution_duration"}:
            raise BadQueryError("sort_by must be 'created_at' or 'execution_duration'")
        if order not in {"asc", "desc"}:
            raise BadQueryError("sort_order must be 'asc' or 'desc'")
        limit = _whole(query.get("limit"), "limit must be a positive integer")
        if limit is not None and limit < 1:
            raise BadQueryError("limit must be a positive integer")
        return cls(
            frozenset(statuses or _STATUSES),
            query.get("workflow_id"),
            sort_by == "execution_duration",
            order == "desc",
            max(0, _whole(query.get("offset"), "offset must be an integer") or 0),
            limit,
        )

    def page(self, jobs: list[JsonObject]) -> JsonObject:
        """The wanted part of all jobs, in the wanted order."""
        wanted = [job for job in jobs if self._wants(job)]
        key = _duration_ms if self.by_duration else _created_ms
        wanted.sort(key=key, reverse=self.descending)
        end = len(wanted) if self.limit is None else self.offset + self.limit
        return {
            "jobs": wanted[self.offset : end],
            "pagination": {
                "offset": self.offset,
                "limit": self.limit,
                "total": len(wanted),
                "has_more": end < len(wanted),
            },
        }

    def _wants(self, job: JsonObject) -> bool:
        of_workflow = self.workflow_id is None or job.get("workflow_id") == self.workflow_id
        return of_workflow and job["status"] in self.statuses


def _whole(text: str | None, complaint: str) -> int | None:
    if text is None:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise BadQueryError(complaint) from error


def _created_ms(job: JsonObject) -> int:
    return job["create_time"]


def _duration_ms(job: JsonObject) -> int:
    """0 while it has not ended."""
    return (job.get("execution_end_time") or 0) - (job.get("execution_start_time") or 0)
