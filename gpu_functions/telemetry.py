"""Spans of a run, where somebody collects them: the switch, and what does nothing while it is off.

The id of a job is the id of its trace, so that the front door, this run and the next one of the
same job meet without anything stored or sent (docs/observability.md).
"""

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol
from uuid import UUID

log = logging.getLogger(__name__)


class Tracing(Protocol):
    """What a run tells of itself."""

    def run(self, job_id: UUID, epoch: int) -> AbstractContextManager[None]:
        """A whole run, in the trace of its job."""
        ...

    def step(self, name: str) -> AbstractContextManager[None]:
        """A step of the run around it."""
        ...

    def headers(self) -> Mapping[str, str]:
        """What makes the front door's span a child of the one that is open here."""
        ...

    def close(self) -> None:
        """Send what is left; takes seconds at most."""
        ...


class NoTracing:
    """Off."""

    def run(self, job_id: UUID, epoch: int) -> AbstractContextManager[None]:
        """Nothing."""
        return nullcontext()

    def step(self, name: str) -> AbstractContextManager[None]:
        """Nothing."""
        return nullcontext()

    def headers(self) -> Mapping[str, str]:
        """None."""
        return {}

    def close(self) -> None:
        """Nothing."""


def open_tracing(endpoint: str) -> Tracing:
    """Spans to a collector where one is named; OpenTelemetry is imported only then."""
    if not endpoint:
        return NoTracing()
    try:
        from gpu_functions.otlp import OtlpTracing
    except ImportError as error:
        log.warning(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but nothing is traced: %s. "
            "Install the extra: pip install 'comfyburst[otel]'.",
            error,
        )
        return NoTracing()
    return OtlpTracing.open("comfyburst-worker")
