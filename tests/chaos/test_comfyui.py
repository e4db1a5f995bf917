"""ComfyUI killed, frozen, out of memory, or run by nodes with bugs."""

import pytest

from tests.chaos.graphs import BUGGY, DEADLY, GREEDY
from tests.chaos.stacks import check_promises, comfyui_of, ended_job, family_of, frozen, reasons_of
from tests.running import Running, steps

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(120)]


def works(stack: Running) -> bool:
    """Whether the next job on the same worker succeeds."""
    job_id = stack.submit(steps(1, 0.0, 7))
    return ended_job(stack, job_id)["status"] == "succeeded"


def test_a_killed_comfyui_is_replaced_and_the_job_runs_again(stack: Running) -> None:
    """Row 4: kill -9 of ComfyUI while it runs a prompt."""
    job_id = stack.submit(steps(15, 0.1))
    stack.wait_for(job_id, "running")
    killed, worker = comfyui_of(stack), stack.pid("worker")
    killed.kill()
    job = ended_job(stack, job_id)
    assert (job["status"], job["tries"]) == ("succeeded", 2)
    assert reasons_of(stack, job_id) == ["comfyui_crashed"]
    assert comfyui_of(stack).pid != killed.pid
    assert stack.pid("worker") == worker
    check_promises(stack, [job_id])


def test_a_frozen_comfyui_is_a_stall_and_frees_its_worker(stack: Running) -> None:
    """Row 5: SIGSTOP of ComfyUI: no progress for as long as is allowed."""
    job_id = stack.submit(steps(30, 0.1))
    stack.wait_for(job_id, "running")
    hung = comfyui_of(stack)
    with frozen(family_of(hung.pid)):
        job = ended_job(stack, job_id)
    assert (job["status"], job["error"]["code"], job["tries"]) == ("failed", "stalled", 1)
    assert works(stack)
    assert comfyui_of(stack).pid != hung.pid
    check_promises(stack, [job_id])


def test_memory_that_runs_out_is_told_and_the_next_job_works(stack: Running) -> None:
    """Row 6: CUDA out of memory, as ComfyUI reports it."""
    job = ended_job(stack, stack.submit(GREEDY))
    assert (job["status"], job["error"]["code"], job["tries"]) == ("failed", "gpu_oom", 1)
    assert job["error"]["message"]
    assert works(stack)
    check_promises(stack, [job["id"]])


def test_a_node_with_a_bug_is_named_with_its_traceback(stack: Running) -> None:
    """Row 7: an exception in a node is the workflow's own: final, at once."""
    job = ended_job(stack, stack.submit(BUGGY))
    error = job["error"]
    assert (job["status"], error["code"], job["tries"]) == ("failed", "node_error", 1)
    assert (error["node_id"], error["class_type"]) == ("2", "BurstProbeError")
    assert "boom" in error["message"]
    assert "in run\n" in error["traceback"]
    check_promises(stack, [job["id"]])


def test_a_workflow_that_always_kills_comfyui_fails_and_hurts_nobody_else(stack: Running) -> None:
    """Row 8: its worker lives and tells, so the failure has the true reason and not `poisoned`."""
    bad = stack.submit(DEADLY)
    good = stack.submit(steps(1, 0.0, 5))
    assert ended_job(stack, good)["status"] == "succeeded"
    job = ended_job(stack, bad)
    assert (job["status"], job["tries"]) == ("failed", 3)
    assert job["error"]["code"] == "comfyui_crashed"
    check_promises(stack, [good, bad])
