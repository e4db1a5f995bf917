"""Requests and transitions as OpenTelemetry spans. Imported only where a collector is named.

FastAPI makes the spans of requests; here is where they go, under which id, and what is left out of
them. Where the collector is the SDK reads from its own variables (OTEL_*).
"""

from contextvars import ContextVar
from dataclasses import dataclass
from threading import Thread
from typing import Any, Final, Self
from uuid import UUID

from fastapi.telemetry import TelemetryConfig
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, SpanContext, Tracer, get_current_span

from app.events.hub import Move
from app.middleware import QUIET, ids_in

_JOB_ID: Final = "comfyburst.job_id"
_LAST_WORDS_S: Final = 2.0

_job: ContextVar[UUID | None] = ContextVar("job", default=None)
"""Which job the request that is being served is about."""


class _JobIds(RandomIdGenerator):
    """A trace that begins with a job is named by it."""

    def generate_trace_id(self) -> int:
        """128 bits, as both are."""
        job_id = _job.get()
        return super().generate_trace_id() if job_id is None else job_id.int


class _Discretion(SpanProcessor):
    """Says which job a span is about, and nothing of its query: ours sign files."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Before anything else sees it."""
        if job_id := _job.get():
            span.set_attribute(_JOB_ID, str(job_id))
        if "url.query" in (span.attributes or {}):
            span.set_attribute("url.query", "")


@dataclass(frozen=True, slots=True)
class OtlpTracing:
    """See Tracing."""

    provider: TracerProvider
    tracer: Tracer

    @classmethod
    def open(cls, service: str, exporter: SpanExporter | None = None) -> Self:
        """A provider of its own; nothing global is touched."""
        named = Resource({SERVICE_NAME: service}).merge(OTELResourceDetector().detect())
        provider = TracerProvider(resource=named, id_generator=_JobIds(), shutdown_on_exit=False)
        provider.add_span_processor(_Discretion())
        provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        return cls(provider, provider.get_tracer(__name__))

    def requests(self) -> TelemetryConfig:
        """A span a request, in its caller's trace, else in its job's."""
        return {
            "tracer_provider": self.provider,
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "auto_configure": False,
            "exclude": _is_routine,
        }

    def moved(self, move: Move) -> None:
        """A point in the job's trace; where it happened in another one, that one is linked."""
        span = get_current_span()
        span.set_attribute(_JOB_ID, str(move.job_id))
        here = span.get_span_context()
        is_of_job = here.is_valid and here.trace_id == move.job_id.int
        token = _job.set(move.job_id)
        try:
            self.tracer.start_span(
                f"job {move.status}",
                None if is_of_job else Context(),
                attributes={"comfyburst.seq": move.seq},
                links=_linked(here) if not is_of_job else None,
            ).end()
        finally:
            _job.reset(token)

    def close(self) -> None:
        """Flush and end; a collector that is away is not waited for."""
        last_words = Thread(target=self.provider.shutdown, daemon=True)
        last_words.start()
        last_words.join(_LAST_WORDS_S)


def _is_routine(scope: Any) -> bool:
    """Asked every few seconds: what comes of it is told as transitions.

    FastAPI asks this before it begins the span, which is why the job is noted here.
    """
    job_id = ids_in(scope["path"]).get("job_id")
    _job.set(UUID(job_id) if job_id else None)
    return QUIET.fullmatch(scope["path"]) is not None


def _linked(context: SpanContext) -> list[Link]:
    return [Link(context)] if context.is_valid else []
