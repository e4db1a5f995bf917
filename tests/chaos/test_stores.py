"""Valkey flushed, frozen, away and killed; Postgres restarted, frozen and killed; a disk without room."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest
import redis

from infra.local.postgres import EmbeddedPostgres
from tests.app.streams import Reader
from tests.chaos.graphs import pictures
from tests.chaos.stacks import (
    LEASE_S,
    check_promises,
    ended_job,
    events_of,
    eventually,
    family_of,
    frozen,
    more_workers,
    reasons_of,
)
from tests.running import Running, steps

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

FAR_FROM_HANGING_S = 10.0
"""A send to a frozen Redis hangs for more than 20 s."""
DISK_BYTES = 1 << 20


# --- Valkey -----------------------------------------------------------------------------------


def test_jobs_queued_and_running_survive_a_flush_of_redis(stack: Running) -> None:
    """Row 9: FLUSHALL; the row is the queue."""
    ids = [stack.submit(steps(20, 0.1, 0))]
    stack.wait_for(ids[0], "running")
    ids += [stack.submit(steps(3, 0.05, tag)) for tag in range(1, 12)]
    valkey(stack).flushall()
    jobs = [ended_job(stack, job_id) for job_id in ids]
    assert {(job["status"], job["tries"]) for job in jobs} == {("succeeded", 1)}
    check_promises(stack, ids)


def test_a_frozen_redis_costs_no_submit_and_no_job(stack: Running) -> None:
    """Row 10: SIGSTOP of Redis; nothing on the way of a submit asks it."""
    with frozen([psutil.Process(stack.pid("valkey"))]):
        started = time.monotonic()
        job_id = stack.submit(steps(1, 0.0, 9))
        assert time.monotonic() - started < FAR_FROM_HANGING_S
        assert ended_job(stack, job_id)["status"] == "succeeded", "a worker asks by itself"
    assert ended_job(stack, stack.submit(steps(1, 0.0, 10)))["status"] == "succeeded"
    check_promises(stack, [job_id])


def test_a_redis_that_is_away_costs_no_submit_and_no_job(stack: Running) -> None:
    """Row 10: nobody answers at its address, and every connection is gone."""
    with away(stack):
        job_id = stack.submit(steps(1, 0.0, 11))
        assert ended_job(stack, job_id)["status"] == "succeeded", "a worker asks by itself"
    assert ended_job(stack, stack.submit(steps(1, 0.0, 12)))["status"] == "succeeded"
    check_promises(stack, [job_id])


def test_a_stream_goes_on_through_restarts_of_redis(stack: Running) -> None:
    """Row 11: hints are lost, events are not: a reader catches up by seq."""
    job_id = stack.submit(steps(40, 0.1))
    reader = Reader()
    url = f"{stack.api}/jobs/{job_id}/events"
    thread = threading.Thread(target=reader.run, args=(url, stack.auth), daemon=True)
    thread.start()
    stack.wait_for(job_id, "running")
    for _ in range(2):
        stack.kill("valkey")
        time.sleep(1.5)
    thread.join(60)
    assert reader.ended, "one connection, from the first event to the last"
    ids = [int(frame.id) for frame in reader.frames if frame.id]
    last = events_of(stack, job_id)[-1]["seq"]
    assert ids == list(range(ids[0], last + 1))
    assert reader.frames[-1].data["status"] == "succeeded"


def valkey(stack: Running) -> redis.Redis:
    """A client of the stack's own."""
    services: dict[str, str] = json.loads((stack.state / "services.json").read_text())
    return redis.Redis.from_url(services["redis_url"])


@contextmanager
def away(stack: Running) -> Generator[None]:
    """Its address leads nowhere, its clients are cut off; the process goes on."""
    client = valkey(stack)
    path = Path(client.connection_pool.connection_kwargs["path"])
    hidden = path.with_suffix(".hidden")
    client.ping()
    path.rename(hidden)
    for kind in ("normal", "pubsub"):
        client.client_kill_filter(_type=kind)
    try:
        yield
    finally:
        hidden.rename(path)


# --- Postgres ---------------------------------------------------------------------------------


def test_an_immediate_restart_of_postgres_costs_seconds_and_no_try(stack: Running) -> None:
    """Row 12: `pg_ctl -m immediate`; callers wait a little or hear 503 with Retry-After, executors wait."""
    job_id = stack.submit(steps(40, 0.1))
    stack.wait_for(job_id, "running")
    stop_postgres_at_once(stack)
    answers: list[httpx.Response] = []
    until = time.monotonic() + 60
    key = str(uuid4())
    while not answers or answers[-1].status_code != 201:
        assert time.monotonic() < until
        answers.append(
            httpx.post(
                f"{stack.api}/jobs",
                json={"workflow": steps(1, 0.0)},
                headers={**stack.auth, "Idempotency-Key": key},
                timeout=30,
            )
        )
    refused = answers[:-1]
    assert {reply.status_code for reply in refused} <= {503}
    assert all(1 <= int(reply.headers["retry-after"]) <= 5 for reply in refused)
    job, other = ended_job(stack, job_id), ended_job(stack, answers[-1].json()["id"])
    assert (job["status"], job["tries"]) == ("succeeded", 1)
    assert other["status"] == "succeeded"
    check_promises(stack, [job_id, other["id"]])


def test_a_frozen_postgres_is_told_and_leaves_no_connection_stuck(stack: Running) -> None:
    """Row 13: SIGSTOP of Postgres: 503 after the time-out, and the pool is whole afterwards."""
    job_id = stack.submit(steps(1, 0.0))
    ended_job(stack, job_id)

    def ask(_: int) -> httpx.Response:
        return httpx.get(f"{stack.api}/jobs/{job_id}", headers=stack.auth, timeout=30)

    with ThreadPoolExecutor(20) as pool:
        with frozen(family_of(stack.pid("postgres"))):
            refused = list(pool.map(ask, range(20)))
        assert {reply.status_code for reply in refused} == {503}
        assert all(1 <= int(reply.headers["retry-after"]) <= 5 for reply in refused)
        eventually(lambda: ask(0).raise_for_status())
        answered = list(pool.map(ask, range(60)))
    assert {reply.status_code for reply in answered} == {200}


def test_jobs_go_on_while_postgres_is_away_for_longer_than_two_leases(stack: Running) -> None:
    """Row 12: executors buffer and replay; an outage of ours never costs a running job."""
    with more_workers(stack, 2):
        ids = [stack.submit(steps(80, 0.1, tag)) for tag in range(3)]
        for job_id in ids:
            stack.wait_for(job_id, "running", 40)
        with frozen(family_of(stack.pid("postgres"))):
            time.sleep(2.5 * LEASE_S)
        jobs = [ended_job(stack, job_id) for job_id in ids]
    assert [(job["status"], job["tries"]) for job in jobs] == [("succeeded", 1)] * 3
    check_promises(stack, ids)


def test_jobs_go_on_while_postgres_is_killed_and_comes_back(stack: Running) -> None:
    """Row 12: kill -9 of Postgres, with three jobs running."""
    with more_workers(stack, 2):
        ids = [stack.submit(steps(60, 0.1, tag)) for tag in range(3)]
        for job_id in ids:
            stack.wait_for(job_id, "running", 40)
        stack.kill("postgres")
        jobs = [ended_job(stack, job_id) for job_id in ids]
    assert [(job["status"], job["tries"]) for job in jobs] == [("succeeded", 1)] * 3
    check_promises(stack, ids)


def stop_postgres_at_once(stack: Running) -> None:
    """Without a shutdown: the supervisor starts it again, and it recovers."""
    postgres = EmbeddedPostgres(stack.state)
    seen = "/proc/self/cwd" if os.geteuid() == 0 else str(postgres.data)
    subprocess.run(  # noqa: S603 - our own binary
        [str(postgres.bin / "pg_ctl"), "-D", seen, "-m", "immediate", "stop"],
        check=True,
        capture_output=True,
        **postgres.popen,
    )


# --- disks ------------------------------------------------------------------------------------


def test_a_full_disk_is_told_and_everything_works_once_there_is_room(stack: Running) -> None:
    """Row 24: uploads are 507, jobs fail with `storage_full`, the API stays up."""
    with full_disk(stack):
        refused = httpx.post(
            f"{stack.api}/assets",
            files=[
                ("content_type", (None, "image/png")),
                ("file_path", (None, "a.png")),
                ("file", ("a.png", os.urandom(2 * DISK_BYTES))),
            ],
            headers=stack.auth,
            timeout=30,
        )
        assert (refused.status_code, refused.json()["error"]["code"]) == (507, "storage_full")
        job = ended_job(stack, stack.submit(pictures(1)))
        assert (job["status"], job["error"]["code"]) == ("failed", "storage_full")
        assert job["tries"] == 3, "it may pass"
        assert reasons_of(stack, job["id"]) == ["storage_full"] * 2
        assert httpx.get(f"{stack.url}/readyz", timeout=10).status_code == 200
    again = ended_job(stack, stack.submit(pictures(1)))
    assert again["status"] == "succeeded"
    check_promises(stack, [job["id"], again["id"]])


@contextmanager
def full_disk(stack: Running) -> Generator[None]:
    """A tmpfs of a mebibyte without room over the storage; where we may not mount, RLIMIT_FSIZE."""
    storage = stack.state / "storage"
    storage.mkdir(mode=0o700, exist_ok=True)
    options = f"size={DISK_BYTES},mode=700"
    mount = ["mount", "-t", "tmpfs", "-o", options, "comfyburst-test", str(storage)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:  # noqa: S603
        front_door = psutil.Process(stack.pid("front-door"))
        front_door.rlimit(psutil.RLIMIT_FSIZE, (1, psutil.RLIM_INFINITY))
        try:
            yield
        finally:
            front_door.rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
        return
    try:
        fill(storage / "filler")
        yield
    finally:
        eventually(lambda: subprocess.run(["umount", str(storage)], check=True))  # noqa: S603, S607


def fill(path: Path) -> None:
    """Until there is no room."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return
