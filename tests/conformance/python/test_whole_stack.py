"""Both clients of the Python SDK against the whole product: real worker, real engine, real files."""

import io
from collections.abc import Generator
from pathlib import Path

import pytest
from comfy_sdk import (
    Comfy,
    InvalidWorkflow,
    JobFailed,
    OutputReady,
    Preview,
    Progress,
    StatusChange,
    Workflow,
)
from PIL import Image

from tests.conformance.python.flavours import Flavour, opened
from tests.running import POSTER, Running, steps

pytestmark = pytest.mark.stack


@pytest.fixture
def comfy(flavour: Flavour, stack: Running) -> Generator[Comfy]:
    """A client of the workspace that the stack serves."""
    with opened(flavour, stack.url, stack.api_key) as comfy:
        yield comfy


def png(colour: tuple[int, int, int]) -> bytes:
    """A small picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(buffer, "PNG")
    return buffer.getvalue()


def colour_of(path: Path) -> tuple[int, ...]:
    """The colour of its first pixel."""
    with Image.open(path) as image:
        pixel = image.convert("RGB").getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return tuple(int(part) for part in pixel)


def inverted(image: object) -> Workflow:
    """A graph that inverts a file."""
    return Workflow(
        {
            "1": {"class_type": "LoadImage", "inputs": {"image": image}},
            "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
            "3": {
                "class_type": "SaveImage",
                "inputs": {"images": ["2", 0], "filename_prefix": "inverted"},
            },
        }
    )


def test_a_prompt_becomes_a_poster(comfy: Comfy, tmp_path: Path) -> None:
    result = comfy.run(Workflow(POSTER))
    [output] = result.outputs
    assert (output.type, output.content_type) == ("image", "image/png")
    output.to_file(tmp_path / output.name)
    with Image.open(tmp_path / output.name) as image:
        assert image.size == (256, 256)


def test_events_come_in_order_with_outputs_before_the_end(comfy: Comfy) -> None:
    job = comfy.submit(Workflow(steps(5, 0.25, 1, preview=True)))
    events = list(job.events())
    kinds = [type(event) for event in events]
    assert {StatusChange, Progress, Preview, OutputReady} <= set(kinds)
    last = events[-1]
    assert isinstance(last, StatusChange)
    assert last.status == "succeeded"
    assert kinds.index(OutputReady) < len(kinds) - 1
    values = [event.value for event in events if isinstance(event, Progress)]
    assert values == sorted(values)
    assert any(0 < value < 1 for value in values)


def test_a_file_is_uploaded_once_and_used_by_its_handle(comfy: Comfy, tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    path.write_bytes(png((255, 0, 0)))
    first = comfy.assets.from_file(path)
    result = comfy.run(inverted(first))
    result.outputs[0].to_file(tmp_path / "out.png")
    assert colour_of(tmp_path / "out.png") == (0, 255, 255)
    again = comfy.assets.from_file(path)
    comfy.run(inverted(again))
    assert again.id == first.id


def test_a_file_name_means_the_newest_upload_of_that_path(comfy: Comfy, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    for colour in ((255, 0, 0), (0, 255, 0)):
        path.write_bytes(png(colour))
        comfy.assets.from_file(path).commit()
    result = comfy.run(inverted("photo.png"))
    result.outputs[0].to_file(tmp_path / "out.png")
    assert colour_of(tmp_path / "out.png") == (255, 0, 255)


def test_an_output_is_the_input_of_the_next_job(comfy: Comfy, tmp_path: Path) -> None:
    first = comfy.run(Workflow(steps(1, 0.0, 0x102030)))
    handle = {"__type": "core/ASSET", "info": {"id": first.outputs[0].id}}
    result = comfy.run(inverted(handle))
    result.outputs[0].to_file(tmp_path / "out.png")
    assert colour_of(tmp_path / "out.png") == (0xEF, 0xDF, 0xCF)


def test_a_running_job_is_canceled(comfy: Comfy) -> None:
    job = comfy.submit(Workflow(steps(200, 0.1, 2)))
    for event in job.events():
        if isinstance(event, StatusChange) and event.status == "running":
            job.cancel()
    job.refresh()
    assert job.status == "canceled"


def test_a_failing_node_is_named(comfy: Comfy) -> None:
    graph = steps(1, 0.0, 3)
    graph["2"] = {
        "class_type": "BurstProbeError",
        "inputs": {"image": ["1", 0], "kind": "ValueError", "message": "boom"},
    }
    with pytest.raises(JobFailed) as failed:
        comfy.run(Workflow(graph))
    error = failed.value.error
    assert error is not None
    assert (error.code, error.node_id, error.class_type) == ("node_error", "2", "BurstProbeError")
    assert "boom" in error.message


def test_an_unknown_node_is_refused_before_it_is_queued(comfy: Comfy) -> None:
    with pytest.raises(InvalidWorkflow, match="NoSuchNode"):
        comfy.submit(Workflow({"1": {"class_type": "NoSuchNode", "inputs": {}}}))


def test_a_part_of_an_output_can_be_fetched(comfy: Comfy) -> None:
    output = comfy.run(Workflow(POSTER)).outputs[0]
    assert output.to_bytes(range=(0, 3)) == b"\x89PNG"


def test_jobs_are_listed_by_label(comfy: Comfy, flavour: Flavour) -> None:
    job = comfy.submit(Workflow(POSTER), metadata={"run": flavour})
    job.result()
    assert [summary.id for summary in comfy.list_jobs(metadata={"run": flavour})] == [job.id]


def test_the_workflow_comes_back_as_executed(comfy: Comfy) -> None:
    job = comfy.submit(Workflow(POSTER))
    workflow = job.get_workflow()
    assert workflow.format == "api"
    job.result()


def test_waiting_ends_within_a_moment_of_the_job(comfy: Comfy, stack: Running) -> None:
    job_id = stack.submit(steps(3, 0.2, 4))
    job = comfy.jobs.get(job_id)
    job.wait()
    assert job.status == "succeeded"


def test_a_partner_key_is_in_no_log(comfy: Comfy, stack: Running) -> None:
    """v2.11: neither of the front door nor of the worker."""
    comfy.submit(Workflow(steps(1, 0.0, 5)), api_key="canary-of-the-stack").result()
    for service in ("front-door", "worker"):
        assert stack.log(service)
        assert "canary-of-the-stack" not in stack.log(service)
