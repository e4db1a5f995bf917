"""Traces, where somebody collects them: the switch, and what does nothing while it is off.

The id of a job is the id of its trace, so that what callers, this front door and the worker do
about one job meets without anything stored or sent (docs/observability.md).
"""

import logging
from typing import Protocol

from fastapi.telemetry import TelemetryConfig

from app.events.hub import Move

log = logging.getLogger(__name__)


class Tracing(Protocol):
    """What the front door tells of itself."""

    def requests(self) -> TelemetryConfig:
        """What FastAPI is to tell of requests."""
        ...

    def moved(self, move: Move) -> None:
        """A transition, as a point in its job's trace."""
        ...

    def close(self) -> None:
        """Send what is left; takes seconds at most."""
        ...


class NoTracing:
    """Off."""

    def requests(self) -> TelemetryConfig:
        """Nothing, not even to a provider that somebody made global."""
        return {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}

    def moved(self, move: Move) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def open_tracing(endpoint: str) -> Tracing:
    """Spans to a collector where one is named; the SDK and its exporter are imported only then."""
    if not endpoint:
        return NoTracing()
    try:
        from app.observability.otlp import OtlpTracing
    except ImportError as error:
        log.warning(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but nothing is traced: %s. "
            "Install the extra: pip install 'comfyburst[otel]'.",
            error,
        )
        return NoTracing()
    return OtlpTracing.open("comfyburst-front-door")
