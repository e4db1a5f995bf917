"""What an operator reads of a front door at `/metrics`, and who may read it."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, LiteralString

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from pydantic import SecretStr

from app.config import Settings
from app.db.postgres import Database, Params, Row
from app.events.feed import Feed
from app.events.hub import EventHub
from app.main import create_app
from app.observability.duties import DutyMetrics, TimedDuty
from app.observability.repository import StandingRepository
from app.observability.state import Watch
from app.observability.storage import MeteredStorage, StorageMetrics
from infra.local.postgres import EmbeddedPostgres
from storage.local import LocalStorage
from storage.protocol import StorageError
from tests.app.conftest import House, Machine
from tests.app.front_door import serving

TOKEN = "a-token-of-the-operator"


def samples(text: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(text):
        yield from family.samples


def value(text: str, name: str, **labels: str) -> float | None:
    """The one sample with these labels among its own, or None."""
    found = [s for s in samples(text) if s.name == name and labels.items() <= s.labels.items()]
    assert len(found) <= 1, found
    return found[0].value if found else None


def scraped(house: House) -> str:
    """Read as Prometheus would."""
    reply = httpx.get(f"{house.url}/metrics")
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return reply.text


def run_a_job(house: House) -> dict[str, Any]:
    job = house.alice.submit()
    assert house.executor.claim() is not None
    house.executor.put_output(b"12345")
    house.executor.send({"type": "log", "level": "info", "message": "no change of status"})
    house.executor.succeed()
    return house.alice.job(job["id"])


def test_a_job_leaves_its_marks(house: House) -> None:
    run_a_job(house)
    text = scraped(house)
    moves = {status: transitions(text, status) for status in ("queued", "running", "succeeded")}
    assert moves == {"queued": 1, "running": 1, "succeeded": 1}
    assert value(text, "comfyburst_job_wait_seconds_count") == 1
    assert value(text, "comfyburst_job_run_seconds_count", status="succeeded") == 1
    assert value(text, "comfyburst_job_tries_bucket", le="1.0") == 1
    assert value(text, "comfyburst_http_received_bytes_total", route="/files/{key:path}") == 5
    assert value(text, "comfyburst_storage_seconds_count", operation="size") == 1
    assert value(text, "comfyburst_up", store="database") == 1
    assert value(text, "comfyburst_up", store="redis") == 1
    assert value(text, "comfyburst_database_pool_size") or 0 > 0
    assert value(text, "process_resident_memory_bytes") or 0 > 0
    assert value(text, "comfyburst_build_info") == 1


def transitions(text: str, status: str) -> float | None:
    return value(text, "comfyburst_job_transitions_total", status=status)


def test_requests_are_counted_by_route_and_class(house: House) -> None:
    job = house.alice.submit()
    house.alice.job(job["id"])
    house.alice.http.get("/jobs/nonsense")
    labels = {"method": "GET", "route": "/api/v2/jobs/{id}"}
    text = scraped(house)
    assert value(text, "comfyburst_http_request_seconds_count", **labels, status="2xx") == 1
    assert value(text, "comfyburst_http_request_seconds_count", **labels, status="4xx") == 1


def test_what_callers_make_up_is_one_series(house: House) -> None:
    for path in ("/made-up", "/made-up-too", "/api/v2/nothing"):
        httpx.get(f"{house.url}{path}")
    httpx.request("PROPFIND", f"{house.url}/healthz")
    text = scraped(house)
    unknown = {"route": "none", "status": "4xx", "method": "GET"}
    assert value(text, "comfyburst_http_request_seconds_count", **unknown) == 3
    assert value(text, "comfyburst_http_request_seconds_count", method="other") == 1
    assert "made-up" not in text
    assert "PROPFIND" not in text


def test_no_id_key_or_name_is_a_label(house: House) -> None:
    job = run_a_job(house)
    house.alice.http.get("/assets/" + job["outputs"][0]["id"])
    text = scraped(house)
    secrets = [
        job["id"],
        job["outputs"][0]["id"],
        str(house.alice.workspace_id),
        house.alice.key,
        house.executor.token,
        "alice",
        "a.png",
        str(house.settings.state),
    ]
    assert not [secret for secret in secrets if secret in text]


def test_long_polls_and_streams_stay_out_of_the_latencies(house: House) -> None:
    job = house.alice.submit()
    house.alice.http.get(f"/jobs/{job['id']}?wait=0.2")
    with house.alice.http.stream("GET", f"/jobs/{job['id']}/events") as stream:
        frames = stream.iter_text()
        assert next(frames)
        text = scraped(house)
        assert value(text, "comfyburst_readers") == 1
        assert value(text, "comfyburst_http_requests_in_flight") == 2
    text = scraped(house)
    held = "comfyburst_http_held_request_seconds_count"
    assert value(text, held, kind="poll", route="/api/v2/jobs/{id}") == 1
    assert eventually(house, held, kind="stream") == 1
    assert (value(text, "comfyburst_stream_frames_total") or 0) >= 1
    routes = {s.labels["route"] for s in samples(text) if s.name.endswith("request_seconds_count")}
    latencies = {
        s.labels["route"]
        for s in samples(text)
        if s.name == "comfyburst_http_request_seconds_count"
    }
    assert "/api/v2/jobs/{id}" in routes
    assert "/api/v2/jobs/{id}" not in latencies


def eventually(house: House, name: str, **labels: str) -> float | None:
    """The front door notices a reader that left a moment later."""
    until = time.monotonic() + 5
    while (found := value(scraped(house), name, **labels)) is None and time.monotonic() < until:
        time.sleep(0.05)
    return found


async def test_the_depth_of_every_queue_is_told(machine: Machine) -> None:
    await machine.start()
    await machine.submit()
    old = await machine.submit()
    await machine.submit(backend="modal")
    await machine.database.run(
        "update app.jobs set run_after = now() - interval '1 hour' where id = %(id)s", {"id": old}
    )
    await machine.tick_in_time()
    standing = await StandingRepository(machine.database).read()
    depths = {(d.backend, d.status): d.jobs for d in standing.depths}
    assert depths == {
        ("local", "queued"): 2,
        ("local", "dispatched"): 0,
        ("local", "running"): 1,
        ("modal", "queued"): 1,
        ("modal", "dispatched"): 0,
        ("modal", "running"): 0,
    }
    oldest = {d.backend: d.oldest_ready_s for d in standing.depths if d.status == "queued"}
    assert 3_600 <= oldest["local"] < 3_660
    assert oldest["modal"] < 60
    assert standing.tick_age_s is not None
    assert standing.tick_age_s < 60


async def test_a_job_that_may_not_start_yet_is_not_late(machine: Machine) -> None:
    job_id = await machine.submit()
    await machine.database.run(
        "update app.jobs set run_after = now() + interval '1 hour' where id = %(id)s",
        {"id": job_id},
    )
    standing = await StandingRepository(machine.database).read()
    assert max(depth.oldest_ready_s for depth in standing.depths) == 0
    assert sum(depth.jobs for depth in standing.depths) == 1


class CountingDatabase(Database):
    """A database that counts what it is asked."""

    asked = 0

    async def all(self, sql: LiteralString, params: Params | None = None) -> list[Row]:
        CountingDatabase.asked += 1
        return await super().all(sql, params)


async def test_many_scrapes_ask_the_database_once(database: Database) -> None:
    hub = EventHub()
    watch = Watch(CountingDatabase(database.pool), None, hub, Feed(hub, None, lambda: None))
    CountingDatabase.asked = 0
    for _ in range(20):
        assert (await watch.look()).standing is not None
    assert CountingDatabase.asked == 1


def test_a_scrape_without_a_database_says_so_and_invents_nothing(
    settings: Settings, redis_url: str
) -> None:
    away = settings.model_copy(update={"database_url": "postgresql://x@127.0.0.1:1/x"})
    with serving(away) as url:
        began = time.monotonic()
        reply = httpx.get(f"{url}/metrics", timeout=10)
        seconds = time.monotonic() - began
    assert reply.status_code == 200
    assert seconds < 3
    assert value(reply.text, "comfyburst_up", store="database") == 0
    assert value(reply.text, "comfyburst_up", store="redis") == 1
    names = {sample.name for sample in samples(reply.text)}
    assert not names & {"comfyburst_jobs", "comfyburst_queue_oldest_ready_seconds"}


def test_a_database_that_is_not_migrated_is_up_and_has_no_jobs(
    settings: Settings, postgres: EmbeddedPostgres
) -> None:
    with serving(settings.model_copy(update={"database_url": postgres.url})) as url:
        text = httpx.get(f"{url}/metrics", timeout=10).text
    assert value(text, "comfyburst_up", store="database") == 1
    assert value(text, "comfyburst_jobs", backend="local", status="queued") is None


def test_without_redis_nothing_is_said_of_it(settings: Settings) -> None:
    with serving(settings.model_copy(update={"redis_url": ""})) as url:
        text = httpx.get(f"{url}/metrics", timeout=10).text
    assert value(text, "comfyburst_up", store="redis") is None
    assert value(text, "comfyburst_up", store="database") == 1
    assert value(text, "comfyburst_hints_reliable") is None


def test_a_scrape_waits_for_no_store_that_hangs(settings: Settings, hanging_url: str) -> None:
    with serving(settings.model_copy(update={"database_url": hanging_url})) as url:
        began = time.monotonic()
        reply = httpx.get(f"{url}/metrics", timeout=10)
    assert time.monotonic() - began < 4
    assert value(reply.text, "comfyburst_up", store="database") == 0


@pytest.fixture
def hanging_url() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"postgresql://x@127.0.0.1:{listener.getsockname()[1]}/x"


def test_the_page_about_it_lists_every_metric(house: House) -> None:
    page = Path(__file__).parents[2] / "docs" / "observability.md"
    listed = re.findall(r"^\| `(comfyburst_\w+)` \| (\w+)", page.read_text(), re.MULTILINE)
    shown = re.findall(r"^# TYPE (comfyburst_\w+) (\w+)$", scraped(house), re.MULTILINE)
    assert sorted(listed) == sorted(shown)


# --- who may read -------------------------------------------------------------------------------


async def read(settings: Settings, peer: str, headers: dict[str, str]) -> httpx.Response:
    """`/metrics` as a peer with that address gets it."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app, client=(peer, 4_000))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http,
    ):
        return await http.get("/metrics", headers=headers)


BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
async def test_this_machine_may_read(settings: Settings, peer: str) -> None:
    assert (await read(settings, peer, {})).status_code == 200


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("203.0.113.5", {}),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.5"}),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}),
        ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}),
        ("203.0.113.5", BEARER),
    ],
)
async def test_to_others_there_is_nothing_here(
    settings: Settings, peer: str, headers: dict[str, str]
) -> None:
    reply = await read(settings, peer, headers)
    assert reply.status_code == 404
    assert reply.json()["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (BEARER, 200),
        ({}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, 401),
        ({"Authorization": f"Bearer {TOKEN[:-1]}"}, 401),
    ],
)
async def test_others_need_the_token_of_the_settings(
    settings: Settings, headers: dict[str, str], status: int
) -> None:
    guarded = settings.model_copy(update={"metrics_token": SecretStr(TOKEN)})
    assert (await read(guarded, "203.0.113.5", headers)).status_code == status


async def test_an_empty_token_opens_nothing(settings: Settings) -> None:
    empty = settings.model_copy(update={"metrics_token": SecretStr("")})
    assert (await read(empty, "203.0.113.5", {"Authorization": "Bearer "})).status_code == 404


def test_it_is_no_part_of_the_public_contract(settings: Settings) -> None:
    assert "/metrics" not in create_app(settings).openapi()["paths"]


# --- the parts ----------------------------------------------------------------------------------


class FailingDuty:
    """A duty that has a bug."""

    name = "broken"
    every_s = 1.0

    async def run(self, holder: str) -> None:
        raise RuntimeError(holder)


async def test_a_duty_that_fails_is_counted_and_still_fails() -> None:
    registry = CollectorRegistry()
    duty = TimedDuty(FailingDuty(), DutyMetrics(registry))
    with pytest.raises(RuntimeError):
        await duty.run("me")
    text = generate_latest(registry).decode()
    assert value(text, "comfyburst_duty_errors_total", duty="broken") == 1
    assert value(text, "comfyburst_duty_last_success_timestamp_seconds", duty="broken") is None


async def test_storage_is_counted_on_its_way(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    storage = MeteredStorage(LocalStorage(tmp_path, b"key"), StorageMetrics(registry))
    upload = await storage.begin_upload("w/1")
    await upload.write(b"12345")
    assert await upload.commit()
    await upload.abort()
    assert [chunk async for chunk in storage.read("w/1")] == [b"12345"]
    with pytest.raises(StorageError):
        assert [chunk async for chunk in storage.read("w/2")]
    text = generate_latest(registry).decode()
    assert value(text, "comfyburst_storage_bytes_total", direction="in") == 5
    assert value(text, "comfyburst_storage_bytes_total", direction="out") == 5
    assert value(text, "comfyburst_storage_errors_total", operation="read") == 1
    assert value(text, "comfyburst_storage_seconds_count", operation="commit") == 1
