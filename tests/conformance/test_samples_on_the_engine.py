"""The sample workflows by the public API on the embedded engine: four run, four are refused clearly."""

from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.conformance.samples import (
    Delivered,
    check_picture,
    check_told,
    delivered,
    difference,
    graph_of,
    matched,
    upload_inputs,
)
from tests.running import Running, running

pytestmark = [pytest.mark.stack, pytest.mark.timeout(120)]

_CAPTURED: Final = Path(__file__).parents[1] / "comfy_images" / "engine" / "data"
_FILES: Final = {
    ("1-photo-edit", "7"): "photo-edit.png",
    ("2-mask-composite", "11"): "mask.png",
    ("2-mask-composite", "12"): "composite.png",
    ("3-animated", "7"): "animated.webp",
    ("3-animated", "8"): "animated.png",
    ("8-noise-seeded", "3"): "noise.png",
}
_LEVELS: Final = 2
_LACKING: Final = {
    "4-video": ["CreateVideo", "LoadAudio", "SaveVideo", "SaveWEBM"],
    "5-audio": ["AudioAdjustVolume", "AudioConcat", "EmptyAudio", "LoadAudio", "PreviewAudio"],
    "6-latent-pixelspace": ["LatentUpscaleBy", "SaveLatent", "VAEDecode", "VAEEncode", "VAELoader"],
    "7-3d-preview": ["Preview3D"],
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    with running(tmp_path_factory.mktemp("samples") / "state") as started:
        upload_inputs(started)
        yield started


@pytest.fixture(scope="module")
def ran(stack: Running) -> dict[str, list[Delivered]]:
    ids = {name: stack.submit(graph_of(name)) for name in {name for name, _ in _FILES}}
    jobs = {name: stack.job(job_id, wait=60) for name, job_id in ids.items()}
    assert {job["status"] for job in jobs.values()} == {"succeeded"}, jobs
    return {name: delivered(job) for name, job in jobs.items()}


@pytest.mark.parametrize("name", sorted({name for name, _ in _FILES}))
def test_its_outputs_have_the_captured_sizes_modes_and_metadata(
    ran: dict[str, list[Delivered]], name: str
) -> None:
    for one, row in matched(ran[name], name):
        check_told(one, row)
        if row["type"] == "image":
            check_picture(one, row)
        else:
            assert one.content.decode() == row["text"]


@pytest.mark.parametrize(("name", "node"), _FILES)
def test_its_pixels_are_the_captured_ones_but_for_rounding(
    ran: dict[str, list[Delivered]], name: str, node: str
) -> None:
    [ours] = [one for one in ran[name] if one.said["node_id"] == node]
    captured = Delivered({}, (_CAPTURED / _FILES[name, node]).read_bytes())

    for one, other in zip(ours.frames(), captured.frames(), strict=True):
        assert difference(one, other) <= _LEVELS


@pytest.mark.parametrize("name", _LACKING)
def test_what_it_lacks_is_named_at_once_with_the_way_out(stack: Running, name: str) -> None:
    reply = httpx.post(f"{stack.api}/jobs", json={"workflow": graph_of(name)}, headers=stack.auth)

    assert reply.status_code == 422
    error: dict[str, Any] = reply.json()["error"]
    assert error["code"] == "invalid_workflow"
    assert all(node in error["message"] for node in _LACKING[name])
    assert "embedded engine" in error["message"]
    assert "./dev comfy" in error["message"]
    graph = graph_of(name)
    problems = error["details"]["node_errors"].items()
    missing = {
        graph[node_id]["class_type"]
        for node_id, found in problems
        if any(problem["reason"] == "missing_node" for problem in found)
    }
    assert missing >= set(_LACKING[name])
