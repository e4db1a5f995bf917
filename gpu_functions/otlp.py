"""Spans of a run by OpenTelemetry. Imported only where a collector is named: see `telemetry`.

Where they go, and under which headers, the SDK reads from its own variables (OTEL_*).
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Thread
from typing import Final, Self
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes

_LAST_WORDS_S: Final = 2.0
"""A collector that is away must not hold up a worker that is asked to end."""

_job: ContextVar[UUID] = ContextVar("job")


class _JobIds(RandomIdGenerator):
    """A trace that begins with a job is named by it."""

    def generate_trace_id(self) -> int:
        """128 bits, as both are."""
        job_id = _job.get(None)
        return super().generate_trace_id() if job_id is None else job_id.int


@dataclass(frozen=True, slots=True)
class OtlpTracing:
    """See Tracing."""

    provider: TracerProvider
    tracer: Tracer

    @classmethod
    def open(cls, service: str) -> Self:
        """A provider of its own; nothing global is touched."""
        named = Resource({SERVICE_NAME: service}).merge(OTELResourceDetector().detect())
        provider = TracerProvider(resource=named, id_generator=_JobIds(), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider, provider.get_tracer(__name__))

    @contextmanager
    def run(self, job_id: UUID, epoch: int) -> Generator[None]:
        """A root of the job's trace."""
        attributes = {"comfyburst.job_id": str(job_id), "comfyburst.epoch": epoch}
        token = _job.set(job_id)
        try:
            with self._span("run", Context(), attributes):
                yield
        finally:
            _job.reset(token)

    @contextmanager
    def step(self, name: str) -> Generator[None]:
        """A child of what is open."""
        with self._span(name):
            yield

    @contextmanager
    def _span(
        self, name: str, parent: Context | None = None, attributes: Attributes = None
    ) -> Generator[None]:
        with self.tracer.start_as_current_span(
            name,
            parent,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except Exception as error:
                # Its text may be a node's.
                span.set_status(StatusCode.ERROR, type(error).__name__)
                raise

    def headers(self) -> Mapping[str, str]:
        """W3C traceparent."""
        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier)
        return carrier

    def close(self) -> None:
        """Flush and end."""
        last_words = Thread(target=self.provider.shutdown, daemon=True)
        last_words.start()
        last_words.join(_LAST_WORDS_S)
