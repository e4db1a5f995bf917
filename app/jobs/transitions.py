"""The table of legal moves (DESIGN §4). The SQL in `repository/` makes them; tests hold it to this."""

from enum import StrEnum
from typing import Literal


class Status(StrEnum):
    """What is stored."""

    QUEUED = "queued"
    DISPATCHED = "dispatched"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"


PublicStatus = Literal[
    "queued", "running", "succeeded", "canceling", "canceled", "failed", "expired"
]
"""Comfy API v2's seven words, and no others: its clients refuse the rest."""

EndedStatus = Literal["succeeded", "failed", "canceled", "expired"]
"""Those of them that are an end."""

TERMINAL: frozenset[Status] = frozenset(
    {Status.SUCCEEDED, Status.FAILED, Status.CANCELED, Status.EXPIRED}
)

LEGAL: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset(
        {Status.DISPATCHED, Status.RUNNING, Status.CANCELED, Status.EXPIRED, Status.FAILED}
    ),
    Status.DISPATCHED: frozenset(
        {Status.RUNNING, Status.QUEUED, Status.CANCELED, Status.EXPIRED, Status.FAILED}
    ),
    Status.RUNNING: frozenset(
        {
            Status.RUNNING,  # a second claim of the same dispatch, its lease passed
            Status.QUEUED,
            Status.DISPATCHED,
            Status.SUCCEEDED,
            Status.FAILED,
            Status.CANCELED,
        }
    ),
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELED: frozenset(),
    Status.EXPIRED: frozenset(),
}


def public_status(status: Status, *, cancel_requested: bool) -> PublicStatus:
    """How a stored status is shown: dispatched as queued, a running job being canceled as canceling."""
    match status:
        case Status.QUEUED | Status.DISPATCHED:
            return "queued"
        case Status.RUNNING:
            return "canceling" if cancel_requested else "running"
        case Status.SUCCEEDED:
            return "succeeded"
        case Status.FAILED:
            return "failed"
        case Status.CANCELED:
            return "canceled"
        case Status.EXPIRED:
            return "expired"
