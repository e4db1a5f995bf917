"""A ComfyUI that somebody else runs: the same jobs, nothing started, nothing killed."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from uuid import uuid4

import pytest

from gpu_functions.comfyui.process import AttachedComfyUI, free_port
from gpu_functions.contract import Canceled, Failed, FailureCode, Succeeded
from tests.doubles.front_door import FrontDoorDouble
from tests.gpu_functions.engine import Bench, bench, image, saved, steps


@pytest.fixture(scope="module")
async def theirs(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Bench, None]:
    async with bench(tmp_path_factory.mktemp("theirs")) as started:
        yield started


@pytest.fixture
async def attached(theirs: Bench) -> AsyncGenerator[Bench, None]:
    running = await theirs.comfy.ensure(None)
    comfy = AttachedComfyUI(running.url, shared=False)
    yield replace(theirs, comfy=comfy)
    await comfy.stop()


async def test_outputs_come_by_http_and_inputs_go_by_http(
    attached: Bench, front_door: FrontDoorDouble
) -> None:
    made = front_door.submit(image(0x00AA00))
    await attached.run(front_door, made)
    (picture,) = front_door.output_bytes(made)
    job = front_door.submit(saved("LoadImage", image="in.png"), inputs={"in.png": picture})
    await attached.run(front_door, job)
    assert isinstance(job.terminal, Succeeded)
    assert front_door.output_bytes(job)[0].startswith(b"\x89PNG")


async def test_what_comes_by_http_is_stripped_too(
    attached: Bench, front_door: FrontDoorDouble
) -> None:
    job = front_door.submit(image(0x00AA11), strip_metadata=True)
    await attached.run(front_door, job)
    [content] = front_door.output_bytes(job)
    assert content.startswith(b"\x89PNG")
    assert b"class_type" not in content


async def test_a_cancel_is_carried_out_by_asking(
    attached: Bench, front_door: FrontDoorDouble
) -> None:
    front_door.heartbeat_s = 0.05
    job = front_door.submit(steps(30, 0.1))
    job.cancel = True
    await attached.run(front_door, job)
    assert job.terminal == Canceled()


async def test_one_that_does_not_answer_is_unreachable(
    theirs: Bench, front_door: FrontDoorDouble
) -> None:
    comfy = AttachedComfyUI(f"http://127.0.0.1:{free_port()}", shared=False)
    job = front_door.submit(image())
    await replace(theirs, comfy=comfy).run(front_door, job)
    assert isinstance(job.terminal, Failed)
    assert job.terminal.failure.code is FailureCode.COMFYUI_UNREACHABLE
    await comfy.stop()


async def test_a_second_workspace_is_refused_unless_the_operator_vouches(
    attached: Bench, front_door: FrontDoorDouble
) -> None:
    await attached.run(front_door, front_door.submit(image()))
    job = front_door.submit(image(), workspace_id=uuid4())
    await attached.run(front_door, job)
    assert isinstance(job.terminal, Failed)
    assert "COMFYUI_SHARED" in job.terminal.failure.message


async def test_its_process_is_left_alone_when_a_prompt_hangs(
    theirs: Bench, attached: Bench, front_door: FrontDoorDouble
) -> None:
    front_door.heartbeat_s = 0.05
    job = front_door.submit(saved("BurstProbeHang", seconds=1.5))
    job.cancel = True
    pid = theirs.pid
    await attached.run(front_door, job)
    assert job.terminal == Canceled()
    running = await theirs.comfy.ensure(None)
    assert theirs.pid == pid
    assert (await running.client.system_stats())["system"]
