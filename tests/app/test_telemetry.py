"""Traces: off they cost nothing, on they tell of one job under one id on both sides."""

import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.events.hub import Move
from app.ids import uuid7
from app.middleware import Gate, allowed_hosts
from app.observability.otlp import OtlpTracing
from app.observability.telemetry import NoTracing, open_tracing
from tests.running import POSTER, running

ROOT = Path(__file__).parents[2]
FRONT_DOOR_OFF = """
import sys
from app.config import Settings
from app.main import create_app
create_app(Settings(database_url="postgresql://x"))
print([n for n in sys.modules if n.startswith(("opentelemetry.sdk.trace", "opentelemetry.exporter"))])
"""
WORKER_OFF = """
import sys
import gpu_functions.celery_app, gpu_functions.executor, gpu_functions.worker_thread
from gpu_functions.telemetry import open_tracing
open_tracing("").close()
print([n for n in sys.modules if n.startswith("opentelemetry")])
"""
MISSING = """
import logging, sys
logging.basicConfig(format="%(message)s")
sys.modules["opentelemetry.exporter"] = None
from app.observability.telemetry import open_tracing
from gpu_functions.telemetry import open_tracing as open_on_the_worker
print(type(open_tracing("http://127.0.0.1:1")).__name__)
print(type(open_on_the_worker("http://127.0.0.1:1")).__name__)
"""


def run_python(code: str) -> tuple[str, str]:
    """What a fresh interpreter prints and says."""
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout, done.stderr


@pytest.mark.parametrize("code", [FRONT_DOOR_OFF, WORKER_OFF])
def test_off_it_is_never_imported(code: str) -> None:
    # FastAPI needs the API of OpenTelemetry itself; what sends is another matter.
    assert run_python(code)[0] == "[]\n"


def test_asked_for_but_not_installed_it_names_the_extra_and_goes_on() -> None:
    made, said = run_python(MISSING)
    assert made.split() == ["NoTracing", "NoTracing"]
    assert said.count("pip install 'comfyburst[otel]'") == 2


def test_without_an_endpoint_there_is_no_tracing() -> None:
    assert isinstance(open_tracing(""), NoTracing)


# --- the front door -----------------------------------------------------------------------------


@dataclass(slots=True)
class Traced:
    """A small application behind the gate, and the spans it made."""

    tracing: OtlpTracing
    exporter: InMemorySpanExporter
    http: httpx.AsyncClient

    def spans(self) -> dict[str, ReadableSpan]:
        """By name."""
        self.tracing.provider.force_flush()
        return {span.name: span for span in self.exporter.get_finished_spans()}


@pytest.fixture
async def traced() -> AsyncGenerator[Traced]:
    exporter = InMemorySpanExporter()
    tracing = OtlpTracing.open("test", exporter)
    app = FastAPI(telemetry=tracing.requests())

    @app.get("/api/v2/jobs/{id}")
    async def get_job(id: str) -> str:
        return id

    @app.post("/internal/jobs/{id}/events")
    async def take_events(id: str) -> None:
        tracing.moved(moved(UUID(id), "succeeded"))

    @app.post("/api/v2/jobs")
    async def submit() -> str:
        job_id = uuid7()
        tracing.moved(moved(job_id, "queued"))
        return str(job_id)

    @app.get("/broken")
    async def broken() -> None:
        raise RuntimeError("with a secret in it")

    app.add_middleware(Gate, hosts=allowed_hosts(None, ""), origins=frozenset())
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        yield Traced(tracing, exporter, http)
    tracing.close()


def moved(job_id: UUID, status: str) -> Move:
    return Move(job_id, uuid7(), 1, status, ended=status == "succeeded")


def trace_of(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.trace_id


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


async def test_a_request_about_a_job_is_in_the_trace_of_the_job(traced: Traced) -> None:
    job_id = uuid7()
    await traced.http.get(f"/api/v2/jobs/{job_id}")
    span = traced.spans()["GET /api/v2/jobs/{id}"]
    assert trace_of(span) == job_id.int
    assert attributes(span)["comfyburst.job_id"] == str(job_id)
    assert attributes(span)["http.response.status_code"] == 200


async def test_no_query_leaves_the_house(traced: Traced) -> None:
    await traced.http.get(f"/api/v2/jobs/{uuid7()}?X-Cb-Signature=secret")
    span = traced.spans()["GET /api/v2/jobs/{id}"]
    assert "secret" not in span.to_json()


async def test_one_request_s_job_is_not_the_next_one_s(traced: Traced) -> None:
    job_id = uuid7()
    await traced.http.get(f"/api/v2/jobs/{job_id}")
    await traced.http.get("/broken")
    assert trace_of(traced.spans()["GET /broken"]) != job_id.int


async def test_a_caller_s_own_trace_is_kept(traced: Traced) -> None:
    theirs = f"00-{'ab' * 16}-{'cd' * 8}-01"
    await traced.http.get(f"/api/v2/jobs/{uuid7()}", headers={"traceparent": theirs})
    span = traced.spans()["GET /api/v2/jobs/{id}"]
    assert f"{trace_of(span):032x}" == "ab" * 16
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "cd" * 8


async def test_a_submit_and_the_trace_of_its_job_are_linked(traced: Traced) -> None:
    job_id = UUID((await traced.http.post("/api/v2/jobs")).json())
    spans = traced.spans()
    request, queued = spans["POST /api/v2/jobs"], spans["job queued"]
    assert trace_of(queued) == job_id.int
    assert trace_of(request) != job_id.int
    assert [link.context.trace_id for link in queued.links] == [trace_of(request)]
    assert attributes(request)["comfyburst.job_id"] == str(job_id)


async def test_of_a_worker_s_heartbeats_only_the_transitions_are_told(traced: Traced) -> None:
    job_id = uuid7()
    await traced.http.post(f"/internal/jobs/{job_id}/events")
    spans = traced.spans()
    assert list(spans) == ["job succeeded"]
    assert trace_of(spans["job succeeded"]) == job_id.int


async def test_a_bug_is_an_error_without_its_words(traced: Traced) -> None:
    assert (await traced.http.get("/broken")).status_code == 500
    span = traced.spans()["GET /broken"]
    assert not span.status.is_ok
    assert "secret" not in span.to_json()


# --- the whole product --------------------------------------------------------------------------


@dataclass(slots=True)
class Collector:
    """Takes OTLP over HTTP on loopback."""

    url: str = ""
    bodies: list[bytes] = field(default_factory=list[bytes])

    def spans(self) -> list[tuple[str, str, str, str]]:
        """Of every span its service, trace, name and job."""
        return [
            (
                next(
                    a.value.string_value for a in r.resource.attributes if a.key == "service.name"
                ),
                span.trace_id.hex(),
                span.name,
                next(
                    (a.value.string_value for a in span.attributes if a.key == "comfyburst.job_id"),
                    "",
                ),
            )
            for body in self.bodies
            for r in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in r.scope_spans
            for span in scope.spans
        ]


@pytest.fixture
def collector() -> Generator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        collector.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield collector
        server.shutdown()


@pytest.mark.stack
def test_one_job_is_one_trace_on_both_sides(collector: Collector, tmp_path: Path) -> None:
    asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with running(tmp_path / "state", asked) as product:
        job_id = product.submit(POSTER)
        assert product.job(job_id, wait=20)["status"] == "succeeded"
        secrets = [product.api_key, "X-Cb-Signature", "X-Goog-"]
    # Stopped: both have sent what they had left.
    told = {(s, name) for s, trace, name, _ in collector.spans() if trace == UUID(job_id).hex}
    assert {
        ("comfyburst-front-door", "job queued"),
        ("comfyburst-front-door", "job running"),
        ("comfyburst-front-door", "job succeeded"),
        ("comfyburst-front-door", "POST /internal/jobs/{id}/outputs"),
        ("comfyburst-front-door", "PUT /files/{key}"),
        ("comfyburst-front-door", "GET /api/v2/jobs/{id}"),
        ("comfyburst-worker", "run"),
        ("comfyburst-worker", "execution"),
        ("comfyburst-worker", "outputs"),
    } <= told
    names = [name for _, trace, name, _ in collector.spans() if trace == UUID(job_id).hex]
    assert names.count("job running") == 1
    submits = [job for _, _, name, job in collector.spans() if name == "POST /api/v2/jobs"]
    assert submits == [job_id]
    assert not [
        secret for secret in secrets for body in collector.bodies if secret.encode() in body
    ]
