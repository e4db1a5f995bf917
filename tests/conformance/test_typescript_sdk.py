"""The official TypeScript SDK, unmodified, against the whole product.

What needs a worker that does as a test says is in `typescript/`.
"""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.conformance.clients.front import Front, fronting
from tests.conformance.clients.installed import CLIENTS, NEEDS_CLIENTS
from tests.conformance.clients.node import Sdk, compile_programs
from tests.running import POSTER, Running, steps

pytestmark = NEEDS_CLIENTS

INVERTED = {
    "1": {"class_type": "LoadImage", "inputs": {"image": "to be set"}},
    "2": {"class_type": "ImageInvert", "inputs": {"image": ["1", 0]}},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "inv"}},
}


@pytest.fixture(scope="module")
def sdk(stack: Running) -> Sdk:
    """The programs, pointed at the stack."""
    compile_programs(CLIENTS)
    return Sdk(CLIENTS, stack.url, stack.api_key)


def edit(stack: Running, front: Front, photo: Path, folder: Path) -> dict[str, str]:
    """Invert a photo as the SDK's README shows, from a workflow file."""
    folder.mkdir()
    workflow = folder / "workflow.json"
    workflow.write_text(json.dumps(INVERTED))
    program = Sdk(CLIENTS, front.url, stack.api_key)
    [output] = program.run("run_with_file", str(workflow), "1", str(photo), str(folder))
    with Image.open(output["path"]) as image:
        assert image.convert("RGB").getpixel((0, 0)) == (0, 255, 255)
    return output


def test_the_first_example_of_the_readme_uploads_once(
    stack: Running, sdk: Sdk, tmp_path: Path
) -> None:
    photo = tmp_path / "red.png"
    Image.new("RGB", (16, 16), (255, 0, 0)).save(photo)
    with fronting(stack.url) as front:
        first = edit(stack, front, photo, tmp_path / "first")
        assert [e.status for e in front.seen("POST", "/api/v2/assets")] == [201]
        second = edit(stack, front, photo, tmp_path / "second")
        assert len(front.seen("POST", "/api/v2/assets")) == 1
        assert [e.status for e in front.seen("POST", "/api/v2/assets/from-hash")] == [200]
        assert all("comfy-sdk-typescript/0.1.9" in e.headers["user-agent"] for e in front.exchanges)
    assert first["asset"] == second["asset"]
    assert (first["createdNew"], second["createdNew"]) == (True, False)
    assert first["jobId"] is second["jobId"] is True


def test_events_come_in_order_with_outputs_before_the_end(sdk: Sdk, stack: Running) -> None:
    events = sdk.run("watch", stack.submit(steps(5, 0.25, 21, preview=True)))
    kinds = [event["kind"] for event in events]
    assert {"statusChange", "progress", "preview", "outputReady"} <= set(kinds)
    assert (kinds[-1], events[-1]["status"]) == ("statusChange", "succeeded")
    values = [event["value"] for event in events if event["kind"] == "progress"]
    assert values == sorted(values)
    assert any(0 < value < 1 for value in values)


def test_a_failing_node_is_named(sdk: Sdk) -> None:
    graph = steps(1, 0.0, 22)
    graph["2"] = {
        "class_type": "BurstProbeError",
        "inputs": {"image": ["1", 0], "kind": "ValueError", "message": "boom"},
    }
    [ended] = sdk.run("run", json.dumps(graph))
    assert ended["code"] == "node_error"
    assert (ended["failed"]["node_id"], ended["failed"]["class_type"]) == ("2", "BurstProbeError")
    assert "boom" in ended["failed"]["message"]


def test_a_prompt_becomes_a_poster(sdk: Sdk) -> None:
    assert sdk.run("run", json.dumps(POSTER)) == [{"status": "succeeded", "outputs": 1}]


def test_a_job_of_the_stack_is_as_the_schemas_of_the_sdk_have_it(sdk: Sdk, stack: Running) -> None:
    job_id = stack.submit(POSTER)
    stack.job(job_id, wait=30)
    [read] = sdk.run("read", job_id)
    assert read["objections"] == []
    assert read["workflow"]["1"]["class_type"] == "BurstPoster"
