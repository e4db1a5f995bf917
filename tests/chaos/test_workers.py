"""Workers that are killed, frozen, rung too often, or live in another time."""

import json
import os
import subprocess
import sys
import sysconfig
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.jobs.dispatch.celery import QUEUE, TASK, make_celery
from infra.local.worker import token_pipe
from infra.soak.proxy import Fault
from tests.chaos.stacks import (
    LEASE_S,
    Chaos,
    check_promises,
    ended_job,
    events_of,
    eventually,
    frozen,
    mint_worker_token,
    more_workers,
    reasons_of,
    requests,
)
from tests.running import Running, clean_environment, steps

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

AHEAD_S = 600
SHIFTED_CLOCK = Path(__file__).with_name("shifted_clock")


def test_a_worker_killed_in_the_middle_costs_a_try_and_nothing_else(stack: Running) -> None:
    """Row 1: kill -9 of the worker while it runs a job."""
    job_id = stack.submit(steps(15, 0.1))
    stack.wait_for(job_id, "running")
    stack.kill("worker")
    job = ended_job(stack, job_id)
    assert (job["status"], job["tries"]) == ("succeeded", 2)
    assert reasons_of(stack, job_id) == ["lease_expired"]
    check_promises(stack, [job_id])


def test_a_worker_killed_before_its_claim_arrives_costs_no_try(
    chaos: Chaos, stack: Running
) -> None:
    """Row 2: kill -9 between hearing of a job and claiming it."""
    with chaos.proxy.failing(Fault("blackhole", requests("POST", "/internal/claims"))) as lost:
        job_id = stack.submit(steps(1, 0.0))
        eventually(lambda: check(lost.hits > 0))
        stack.kill("worker")
    job = ended_job(stack, job_id)
    assert (job["status"], job["tries"]) == ("succeeded", 1)
    assert reasons_of(stack, job_id) == []
    check_promises(stack, [job_id])


def test_a_worker_frozen_past_its_lease_comes_back_and_changes_nothing(stack: Running) -> None:
    """Row 3: SIGSTOP for longer than a lease, then SIGCONT."""
    job_id = stack.submit(steps(30, 0.1, 1))
    stack.wait_for(job_id, "running")
    worker = psutil.Process(stack.pid("worker"))
    with more_workers(stack):
        with frozen([worker]):
            eventually(lambda: check(len(starts_of(stack, job_id)) == 2), 40)
        job = ended_job(stack, job_id)
        time.sleep(2 * LEASE_S)  # whatever the old run still has to say
    assert (job["status"], job["tries"]) == ("succeeded", 2)
    assert "stale_epoch" in stack.log("worker") or "no longer counts" in stack.log("worker")
    check_promises(stack, [job_id])
    last = max(event["epoch"] for event in events_of(stack, job_id))
    [shown] = stack.job(job_id)["outputs"]
    [asset] = stack.rows("select epoch from app.assets where id = %(id)s", id=shown["id"])
    assert asset["epoch"] == last
    assert stack.pid("worker") == worker.pid, "it was not restarted, it stopped by itself"


def test_a_workflow_whose_every_start_kills_the_worker_is_poison(stack: Running) -> None:
    """Row 8: exactly as many starts as allowed, then `poisoned`; the others go on."""
    bad = stack.submit(steps(100, 0.1), priority=1)
    for start in (1, 2, 3):
        eventually(lambda start=start: check(runs_now(stack, bad, start)), 40)
        stack.kill("worker")
    job = ended_job(stack, bad)
    assert (job["status"], job["tries"]) == ("failed", 3)
    assert job["error"]["code"] == "poisoned"
    good = stack.submit(steps(1, 0.0))
    assert ended_job(stack, good)["status"] == "succeeded"
    check_promises(stack, [bad, good])


def test_a_bell_rung_twenty_times_starts_a_job_once(stack: Running) -> None:
    """Row 19: the same message again and again, to two workers."""
    services: dict[str, str] = json.loads((stack.state / "services.json").read_text())
    celery: Any = make_celery(services["redis_url"])
    with more_workers(stack):
        job_id = stack.submit(steps(10, 0.1))
        for _ in range(20):
            celery.send_task(TASK, args=["local"], queue=QUEUE, ignore_result=True)
        job = ended_job(stack, job_id)
    assert (job["status"], job["tries"]) == ("succeeded", 1)
    attempts = stack.rows("select 1 from app.job_attempts where job_id = %(id)s", id=job_id)
    assert len(attempts) == 1
    check_promises(stack, [job_id])


def test_a_worker_ten_minutes_ahead_of_us_works_as_any_other(
    stack: Running, tmp_path: Path
) -> None:
    """Row 26: no decision is made by the clock of a worker."""
    with frozen([psutil.Process(stack.pid("worker"))]), worker_ahead(stack, tmp_path) as log:
        job_id = stack.submit(steps(30, 0.1))
        job = ended_job(stack, job_id)
    assert (job["status"], job["tries"]) == ("succeeded", 1)
    check_promises(stack, [job_id])
    times = [json.loads(line)["time"] for line in log.read_text().splitlines() if '"time"' in line]
    assert any(is_ahead(text) for text in times), times


def check(*holds: bool) -> None:
    """For `eventually`."""
    assert all(holds)


def starts_of(stack: Running, job_id: str) -> list[dict[str, Any]]:
    """The events of its starts."""
    events = events_of(stack, job_id)
    return [e for e in events if e["type"] == "status" and e["data"]["status"] == "running"]


def runs_now(stack: Running, job_id: str, start: int) -> bool:
    """Whether its so-many-th start is under way."""
    job = stack.job(job_id)
    return job["status"] == "running" and job["tries"] == start


def is_ahead(text: str) -> bool:
    """Whether a line's time is about ten minutes from now."""
    from datetime import UTC, datetime

    return (datetime.fromisoformat(text) - datetime.now(UTC)).total_seconds() > AHEAD_S / 2


@contextmanager
def worker_ahead(stack: Running, folder: Path) -> Generator[Path]:
    """A worker whose clock is ahead, and its ComfyUI's; yields its log."""
    log, ready = folder / "ahead.log", folder / "ahead.ready"
    environment = clean_environment(
        {
            "COMFYBURST_PROBES": "1",
            "COMFYBURST_WORKER_STATE": str(folder / "ahead"),
            "COMFYBURST_READY_FILE": str(ready),
            "INTERNAL_URL": stack.url,
            **clock_ahead(),
        }
    )
    with token_pipe(mint_worker_token(stack)) as pipe, log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gpu_functions.celery_app"],
            env={**environment, **pipe.env},
            pass_fds=pipe.descriptors,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        eventually(lambda: check(ready.exists()), 60)
        yield log
    finally:
        process.terminate()
        process.wait(30)


def clock_ahead() -> Mapping[str, str]:
    """What puts a process ahead: Debian's libfaketime where it is installed.

    Without it the nearest thing: Python's own readings of the clock are shifted (the worker and the
    engine are Python), which leaves out what C libraries read.
    """
    multiarch = sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu"
    library = Path("/usr/lib", multiarch, "faketime", "libfaketime.so.1")
    if library.exists():
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME": f"+{AHEAD_S}s",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    paths = [str(SHIFTED_CLOCK), os.environ.get("PYTHONPATH", "")]
    return {"PYTHONPATH": ":".join(filter(None, paths)), "SHIFTED_CLOCK_S": str(AHEAD_S)}
