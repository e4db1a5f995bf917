"""Where a job stands in the queue when it is started again."""

from app.jobs.repository.transitions import Fence
from gpu_functions.contract import FailureCode
from tests.app.conftest import Machine


async def test_a_job_whose_comfyui_crashed_keeps_its_place_before_later_ones(
    machine: Machine,
) -> None:
    first = await machine.submit()
    for _ in range(3):
        await machine.submit()
    claimed = await machine.claim()
    assert claimed is not None
    fence = Fence(first, claimed.moved.epoch)
    error = {"code": FailureCode.COMFYUI_CRASHED, "message": "x"}
    await machine.transitions.fail(fence, 1, error, retryable=True, backoff_s=0)

    again = await machine.claim()

    assert again is not None
    assert again.moved.id == first
