"""What a user sees when parts are killed, frozen, flushed and taken away, on real processes.

Leases are short, so that minutes become seconds; nothing else differs from `./dev`.
"""

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import psutil
import pytest
import redis
from PIL import Image

from tests.running import Running, clean_environment, running, steps

pytestmark = pytest.mark.chaos

LEASE_S = 2.0
SHORT = {
    "COMFYBURST_LEASE_S": str(LEASE_S),
    "COMFYBURST_HEARTBEAT_S": "0.4",
    "COMFYBURST_REAP_EVERY_S": "0.4",
    "COMFYBURST_RETRY_BACKOFF_S": "0.1",
    "DATABASE_TIMEOUT_S": "2",
}


@contextmanager
def stack_of(tmp_path: Path, **more: str) -> Generator[Running]:
    """A stack with short leases."""
    with running(tmp_path / "state", {**SHORT, **more}) as stack:
        yield stack


def check_promises(stack: Running, job_ids: list[str]) -> None:
    """Every job ended exactly once, its log is dense, and nothing follows its end."""
    for job_id in job_ids:
        events = stack.rows(
            "select seq, type, data from app.job_events where job_id = %(id)s order by seq",
            id=job_id,
        )
        assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
        ends = [
            e
            for e in events
            if e["type"] == "status"
            and e["data"]["status"] in {"succeeded", "failed", "canceled", "expired"}
        ]
        assert ends == [events[-1]], events


def comfyui_of(stack: Running) -> psutil.Process:
    """The engine's process, below the worker's."""
    for child in psutil.Process(stack.pid("worker")).children(recursive=True):
        if "comfy_images.engine" in " ".join(child.cmdline()):
            return child
    raise AssertionError("the worker has no ComfyUI")


def eventually(work: Callable[[], object], within_s: float = 20.0) -> None:
    """Until it does not raise."""
    until = time.monotonic() + within_s
    while True:
        try:
            work()
        except (AssertionError, OSError, psutil.Error, ValueError):
            assert time.monotonic() < until
            time.sleep(0.1)
        else:
            return


@pytest.mark.timeout(180)
def test_fifty_jobs_survive_kills_of_everything_and_a_flush(tmp_path: Path) -> None:
    with stack_of(tmp_path, COMFYBURST_MAX_TRIES="6") as stack:
        ids = [stack.submit(steps(3, 0.03, tag), metadata={"tag": str(tag)}) for tag in range(50)]
        time.sleep(1.0)
        stack.kill("worker")
        eventually(lambda: comfyui_of(stack))
        time.sleep(1.0)
        comfyui_of(stack).kill()
        redis.Redis(unix_socket_path=str(stack.state / "valkey" / "valkey.sock")).flushall()
        time.sleep(1.0)
        stack.kill("valkey")
        time.sleep(0.5)
        stack.kill("front-door")
        jobs = [stack_job(stack, job_id) for job_id in ids]
        check_promises(stack, ids)
        assert {job["status"] for job in jobs} == {"succeeded"}
        for tag, job in enumerate(jobs):
            [output] = job["outputs"]
            assert colour_of(stack, output["id"]) == tag


def stack_job(stack: Running, job_id: str) -> dict[str, Any]:
    """A job at its end, whatever the front door goes through meanwhile."""
    until = time.monotonic() + 120
    while True:
        try:
            return stack.job(job_id, wait=20)
        except (httpx.HTTPError, AssertionError):
            assert time.monotonic() < until
            time.sleep(0.2)


def colour_of(stack: Running, asset_id: str) -> int:
    """The colour that a job was asked for, read back from its picture."""
    reply = httpx.get(f"{stack.api}/assets/{asset_id}/content", headers=stack.auth)
    with Image.open(io.BytesIO(reply.content)) as image:
        red, green, blue = cast(tuple[int, int, int], image.convert("RGB").getpixel((0, 0)))
    return red << 16 | green << 8 | blue


@pytest.mark.timeout(120)
def test_jobs_go_on_while_postgres_is_away_for_longer_than_two_leases(tmp_path: Path) -> None:
    """Three workers each run a job while Postgres is stopped for more than two leases."""
    with stack_of(tmp_path) as stack, more_workers(stack, 2):
        ids = [stack.submit(steps(60, 0.1, tag)) for tag in range(3)]
        for job_id in ids:
            stack.wait_for(job_id, "running")
        postgres = psutil.Process(stack.pid("postgres"))
        family = [postgres, *postgres.children(recursive=True)]
        for process in family:
            process.send_signal(signal.SIGSTOP)
        time.sleep(2.5 * LEASE_S)
        refused = httpx.get(f"{stack.api}/jobs/{ids[0]}", headers=stack.auth, timeout=30)
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        for process in family:
            process.send_signal(signal.SIGCONT)
        jobs = [stack_job(stack, job_id) for job_id in ids]
        assert [(job["status"], job["tries"]) for job in jobs] == [("succeeded", 1)] * 3
        check_promises(stack, ids)


@pytest.mark.timeout(120)
def test_jobs_go_on_while_postgres_is_killed_and_comes_back(tmp_path: Path) -> None:
    with stack_of(tmp_path) as stack, more_workers(stack, 2):
        ids = [stack.submit(steps(60, 0.1, tag)) for tag in range(3)]
        for job_id in ids:
            stack.wait_for(job_id, "running")
        stack.kill("postgres")
        jobs = [stack_job(stack, job_id) for job_id in ids]
        assert [(job["status"], job["tries"]) for job in jobs] == [("succeeded", 1)] * 3
        check_promises(stack, ids)


@pytest.mark.timeout(120)
def test_a_worker_paused_past_its_lease_comes_back_and_changes_nothing(tmp_path: Path) -> None:
    with stack_of(tmp_path) as stack:
        job_id = stack.submit(steps(40, 0.1, 1))
        stack.wait_for(job_id, "running")
        paused = psutil.Process(stack.pid("worker"))
        first_epoch = epoch_of(stack, job_id)
        paused.send_signal(signal.SIGSTOP)
        with more_workers(stack, 1):
            eventually(lambda: assert_epoch_above(stack, job_id, first_epoch + 1), 30)
            paused.send_signal(signal.SIGCONT)
            job = stack_job(stack, job_id)
            assert (job["status"], job["tries"]) == ("succeeded", 2)
            time.sleep(2 * LEASE_S)
        check_promises(stack, [job_id])
        after = stack.job(job_id)
        assert after["outputs"]
        assert after["status"] == "succeeded"
        assert "stale_epoch" in stack.log("worker") or "no longer counts" in stack.log("worker")


def epoch_of(stack: Running, job_id: str) -> int:
    """The fence of a job."""
    [row] = stack.rows("select epoch from app.jobs where id = %(id)s", id=job_id)
    return row["epoch"]


def assert_epoch_above(stack: Running, job_id: str, epoch: int) -> None:
    assert epoch_of(stack, job_id) > epoch


@pytest.mark.timeout(120)
def test_a_cancel_that_races_the_end_never_ends_in_succeeded(tmp_path: Path) -> None:
    with stack_of(tmp_path) as stack:
        accepted: list[str] = []
        ids: list[str] = []
        for tag in range(25):
            job_id = stack.submit(steps(1, 0.02, tag))
            ids.append(job_id)
            time.sleep(0.01 * (tag % 8))
            reply = httpx.post(f"{stack.api}/jobs/{job_id}/cancel", headers=stack.auth)
            assert reply.status_code == 200
            if reply.json()["status"] in {"canceling", "canceled"}:
                accepted.append(job_id)
        jobs = {job_id: stack_job(stack, job_id) for job_id in ids}
        check_promises(stack, ids)
        assert accepted
        assert {jobs[job_id]["status"] for job_id in accepted} == {"canceled"}
        rest = {jobs[job_id]["status"] for job_id in ids if job_id not in accepted}
        assert rest <= {"succeeded"}


@pytest.mark.timeout(120)
def test_a_workflow_that_always_kills_comfyui_fails_and_hurts_nobody_else(tmp_path: Path) -> None:
    deadly = {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0},
        },
        "2": {"class_type": "BurstProbeCrash", "inputs": {"image": ["1", 0], "how": "kill"}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}},
    }
    with stack_of(tmp_path) as stack:
        bad = stack.submit(deadly)
        good = stack.submit(steps(1, 0.0, 5))
        assert stack_job(stack, good)["status"] == "succeeded"
        job = stack_job(stack, bad)
        assert job["status"] == "failed"
        assert job["tries"] == 3
        assert job["error"]
        assert "comfyui_crashed" in str(job["error"])
        check_promises(stack, [good, bad])


@pytest.mark.timeout(120)
def test_a_frozen_redis_costs_no_submit(tmp_path: Path) -> None:
    with stack_of(tmp_path) as stack:
        valkey = psutil.Process(stack.pid("valkey"))
        valkey.send_signal(signal.SIGSTOP)
        try:
            started = time.monotonic()
            job_id = stack.submit(steps(1, 0.0, 9))
            assert time.monotonic() - started < 1.0
            assert stack_job(stack, job_id)["status"] == "succeeded", "a worker asks by itself"
        finally:
            valkey.send_signal(signal.SIGCONT)
        assert stack_job(stack, stack.submit(steps(1, 0.0, 10)))["status"] == "succeeded"


@contextmanager
def more_workers(stack: Running, count: int) -> Generator[None]:
    """Workers beside the stack's own, started as an operator would."""
    processes: list[subprocess.Popen[bytes]] = []
    for number in range(count):
        environment = clean_environment(
            {
                "COMFYBURST_PROBES": "1",
                "COMFYBURST_STATE": str(stack.state),
                "COMFYBURST_WORKER_STATE": str(stack.state.parent / f"worker-{number}"),
                "INTERNAL_URL": stack.url,
            }
        )
        with (stack.state.parent / f"worker-{number}.log").open("wb") as log:
            processes.append(
                subprocess.Popen(
                    [sys.executable, "-m", "infra.cli.main", "worker"],
                    env=environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
    try:
        yield
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
