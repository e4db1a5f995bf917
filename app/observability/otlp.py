"""Requests and transitions as OpenTelemetry spans. Imported only where a collector is named.

Not opentelemetry-instrumentation-asgi: it records the query of every URL, and ours sign files; and
it names spans by their path, which is never the same twice. Where spans go the SDK reads from its
own variables (OTEL_*).
"""

from contextvars import ContextVar
from dataclasses import dataclass
from threading import Thread
from typing import Final, Self
from uuid import UUID

from fastapi import FastAPI
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    Link,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.events.hub import Move
from app.logs import request_id
from app.middleware import QUIET, ids_in

_JOB_ID: Final = "comfyburst.job_id"
_LAST_WORDS_S: Final = 2.0
_SERVER_ERROR: Final = 500

_job: ContextVar[UUID | None] = ContextVar("job", default=None)
_propagator: Final = TraceContextTextMapPropagator()


class _JobIds(RandomIdGenerator):
    """A trace that begins with a job is named by it."""

    def generate_trace_id(self) -> int:
        """128 bits, as both are."""
        job_id = _job.get()
        return super().generate_trace_id() if job_id is None else job_id.int


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
        provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        return cls(provider, provider.get_tracer(__name__))

    def install(self, app: FastAPI) -> None:
        """Make requests spans."""
        app.add_middleware(_Traced, tracer=self.tracer)

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
                attributes={_JOB_ID: str(move.job_id), "comfyburst.seq": move.seq},
                links=_linked(here) if not is_of_job else None,
            ).end()
        finally:
            _job.reset(token)

    def close(self) -> None:
        """Flush and end; a collector that is away is not waited for."""
        last_words = Thread(target=self.provider.shutdown, daemon=True)
        last_words.start()
        last_words.join(_LAST_WORDS_S)


@dataclass(frozen=True, slots=True)
class _Traced:
    """The middleware: a span a request, in its caller's trace, else in its job's."""

    app: ASGIApp
    tracer: Tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        parent = _propagator.extract(_carrier(scope), Context())
        if QUIET.fullmatch(scope["path"]):
            # Asked every few seconds; what comes of it is in the trace as transitions.
            token = attach(parent)
            try:
                await self.app(scope, receive, send)
            finally:
                detach(token)
        else:
            await self._trace(scope, receive, send, parent)

    async def _trace(self, scope: Scope, receive: Receive, send: Send, parent: Context) -> None:
        job_id = ids_in(scope["path"]).get("job_id")
        token = _job.set(UUID(job_id) if job_id else None)
        status = 0

        async def noted_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with self.tracer.start_as_current_span(
            scope["method"],
            parent,
            kind=SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            _job.reset(token)
            try:
                await self.app(scope, receive, noted_send)
            finally:
                route = getattr(scope.get("route"), "path", "none")
                span.update_name(f"{scope['method']} {route}")
                span.set_attributes(
                    {
                        "http.request.method": scope["method"],
                        "http.route": route,
                        "http.response.status_code": status,
                        "comfyburst.request_id": request_id.get(),
                        **({_JOB_ID: job_id} if job_id else {}),
                    }
                )
                if not status or status >= _SERVER_ERROR:
                    span.set_status(StatusCode.ERROR)


def _carrier(scope: Scope) -> dict[str, str]:
    return {
        name.decode("latin-1"): value.decode("latin-1")
        for name, value in scope["headers"]
        if name in (b"traceparent", b"tracestate")
    }


def _linked(context: SpanContext) -> list[Link]:
    return [Link(context)] if context.is_valid else []
