"""Between a worker and its front door: answers that are 500, late, lost; and cancels on the way."""

import time

import httpx
import pytest

from infra.soak.proxy import Fault
from tests.chaos.graphs import pictures
from tests.chaos.stacks import (
    LEASE_S,
    Chaos,
    check_promises,
    ended_job,
    events_of,
    eventually,
    reasons_of,
    requests,
)
from tests.running import Running, steps

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]

REPORTS = requests("POST", "/internal/jobs/.*/events")
UPLOADS = requests("PUT", "/files/")


@pytest.mark.parametrize("kind", ["answer", "blackhole", "refuse"])
def test_a_worker_cut_off_for_longer_than_a_lease_is_replaced_cleanly(
    chaos: Chaos, stack: Running, kind: str
) -> None:
    """Row 16: 500, silence or nobody at all, for two leases: fenced, run again, ended once."""
    job_id = stack.submit(steps(60, 0.1))
    stack.wait_for(job_id, "running")
    fault = {
        "answer": Fault("answer", status=500),
        "blackhole": Fault("blackhole"),
        "refuse": Fault("refuse"),
    }[kind]
    with chaos.proxy.failing(fault):
        eventually(lambda: stack.wait_for(job_id, "queued", 0.1), 10 * LEASE_S)
    job = ended_job(stack, job_id)
    assert job["status"] == "succeeded"
    assert set(reasons_of(stack, job_id)) == {"lease_expired"}
    assert job["tries"] == len(reasons_of(stack, job_id)) + 1
    check_promises(stack, [job_id])


def test_a_worker_whose_reports_fail_for_a_moment_repeats_them(
    chaos: Chaos, stack: Running
) -> None:
    """Row 16: every other report is answered with 500: nothing is lost, no try is spent."""
    with chaos.proxy.failing(Fault("answer", REPORTS, status=500, every=2)) as refused:
        job_id = stack.submit(steps(20, 0.1))
        job = ended_job(stack, job_id)
    assert refused.hits > 0
    assert (job["status"], job["tries"], len(job["outputs"])) == ("succeeded", 1, 1)
    check_promises(stack, [job_id])


def test_answers_that_are_lost_change_nothing(chaos: Chaos, stack: Running) -> None:
    """Row 17: every other request is carried out and its answer cut off, of whatever kind."""
    with chaos.proxy.failing(Fault("cut", requests("(POST|PUT)", "/"), every=2)) as lost:
        job_id = stack.submit(pictures(4))
        job = ended_job(stack, job_id)
    assert lost.hits > 4
    assert (job["status"], job["tries"]) == ("succeeded", 1)
    assert sorted(o["node_id"] for o in job["outputs"]) == ["10", "11", "12", "13"]
    told = [e["data"]["asset_id"] for e in events_of(stack, job_id) if e["type"] == "output"]
    assert sorted(told) == sorted(output["id"] for output in job["outputs"])
    for output in job["outputs"]:
        content = httpx.get(f"{stack.api}/assets/{output['id']}/content", headers=stack.auth)
        assert content.content[1:4] == b"PNG"
    check_promises(stack, [job_id])


@pytest.mark.parametrize(
    "fault",
    [
        Fault("answer", UPLOADS, status=503, times=3),
        Fault("cut", UPLOADS, times=1),
        Fault("answer", UPLOADS, status=403, times=1),
    ],
    ids=["503", "no answer", "expired"],
)
def test_storage_that_fails_for_a_moment_costs_a_moment(
    chaos: Chaos, stack: Running, fault: Fault
) -> None:
    """Row 23: 503 and lost answers are repeated, an expired URL is replaced by a fresh one."""
    with chaos.proxy.failing(fault):
        job_id = stack.submit(pictures(2))
        job = ended_job(stack, job_id)
    assert fault.hits == fault.times
    assert (job["status"], job["tries"], len(job["outputs"])) == ("succeeded", 1, 2)
    check_promises(stack, [job_id])


def test_a_cancel_while_outputs_are_uploaded_ends_the_upload(chaos: Chaos, stack: Running) -> None:
    """Row 22: canceled though storage never answers, and nothing of it is shown."""
    with chaos.proxy.failing(Fault("blackhole", UPLOADS)) as stuck:
        job_id = stack.submit(pictures(1))
        eventually(lambda: holds(stuck.hits > 0))
        assert cancel(stack, job_id)["status"] == "canceling"
        job = ended_job(stack, job_id)
    assert (job["status"], job["outputs"]) == ("canceled", [])
    assert ended_job(stack, stack.submit(pictures(1)))["status"] == "succeeded"
    check_promises(stack, [job_id])


def test_a_cancel_is_told_at_once_what_it_can_be_told(stack: Running) -> None:
    """Row 22: queued: canceled at once; running: interrupted; ended: unchanged, with 200."""
    running = stack.submit(steps(200, 0.1))
    stack.wait_for(running, "running")
    queued = stack.submit(steps(1, 0.0))
    assert cancel(stack, queued)["status"] == "canceled"
    assert cancel(stack, running)["status"] == "canceling"
    assert ended_job(stack, running)["status"] == "canceled"
    done = ended_job(stack, stack.submit(steps(1, 0.0)))
    assert done["status"] == "succeeded", "the worker was freed"
    assert cancel(stack, done["id"])["status"] == "succeeded"
    check_promises(stack, [running, queued, done["id"]])


def test_a_cancel_that_races_the_end_never_ends_in_succeeded(stack: Running) -> None:
    """Row 22: at every moment of a short job's life."""
    accepted: list[str] = []
    ids: list[str] = []
    for tag in range(25):
        job_id = stack.submit(steps(1, 0.02, tag))
        ids.append(job_id)
        time.sleep(0.01 * (tag % 8))
        if cancel(stack, job_id)["status"] in {"canceling", "canceled"}:
            accepted.append(job_id)
    jobs = {job_id: ended_job(stack, job_id) for job_id in ids}
    assert accepted
    assert {jobs[job_id]["status"] for job_id in accepted} == {"canceled"}
    assert {jobs[i]["status"] for i in ids if i not in accepted} <= {"succeeded"}
    check_promises(stack, ids)


def test_a_cancel_that_no_worker_hears_is_carried_out_without_it(
    chaos: Chaos, stack: Running
) -> None:
    """Row 22: the executor is silent: canceled after the grace, or with its lease."""
    job_id = stack.submit(steps(100, 0.1))
    stack.wait_for(job_id, "running")
    with chaos.proxy.failing(Fault("blackhole")):
        assert cancel(stack, job_id)["status"] == "canceling"
        assert ended_job(stack, job_id)["status"] == "canceled"
    assert ended_job(stack, stack.submit(steps(1, 0.0)))["status"] == "succeeded"
    check_promises(stack, [job_id])


def cancel(stack: Running, job_id: str) -> dict[str, str]:
    """Cancel a job; always 200 with the job."""
    reply = httpx.post(f"{stack.api}/jobs/{job_id}/cancel", headers=stack.auth, timeout=30)
    assert reply.status_code == 200, reply.text
    return reply.json()


def holds(*conditions: bool) -> None:
    """For `eventually`."""
    assert all(conditions)
