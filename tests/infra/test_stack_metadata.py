"""Files that do not say how they were made, by HTTP from submit to download."""

import io
from collections.abc import Generator
from typing import Any

import httpx
import pytest
from PIL import Image, ImageSequence

from tests.running import Running, running

pytestmark = pytest.mark.stack

_NOISE = {"image": ["1", 0], "seed": 5, "strength": 0.5}
GRAPH: dict[str, Any] = {
    "1": {
        "class_type": "EmptyImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 3, "color": 0x808080},
    },
    "2": {"class_type": "ImageAddNoise", "inputs": _NOISE},
    "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "still"}},
    "4": {
        "class_type": "SaveAnimatedWEBP",
        "inputs": {"images": ["2", 0], "filename_prefix": "moving", "fps": 6.0, "lossless": True}
        | {"quality": 80, "method": "default"},
    },
    "5": {
        "class_type": "SaveAnimatedPNG",
        "inputs": {"images": ["2", 0], "filename_prefix": "apng", "fps": 6.0, "compress_level": 4},
    },
}


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Generator[Running]:
    with running(tmp_path_factory.mktemp("stack") / "state") as product:
        yield product


def outputs(product: Running, **body: Any) -> dict[str, tuple[dict[str, Any], bytes]]:
    """Of a job that ran, by name: what is said of each, and its bytes."""
    job = product.job(product.submit(GRAPH, **body), wait=60)
    assert job["status"] == "succeeded", job["error"]
    return {each["name"]: (each, httpx.get(each["url"]).content) for each in job["outputs"]}


def pixels(content: bytes) -> list[bytes]:
    with Image.open(io.BytesIO(content)) as image:
        return [frame.convert("RGBA").tobytes() for frame in ImageSequence.Iterator(image)]


def test_no_output_of_a_job_that_asks_for_it_carries_its_workflow(product: Running) -> None:
    told, silent = outputs(product), outputs(product, strip_metadata=True)
    assert len(told) == 5
    assert told.keys() == silent.keys()
    for name, (shown, content) in silent.items():
        assert b"class_type" in told[name][1]
        assert b"class_type" not in content
        assert b"prompt" not in content
        assert pixels(content) == pixels(told[name][1])
        assert shown["size_bytes"] == len(content)
        assert shown["thumbnail_url"] == shown["url"], "a small picture is its own thumbnail"
