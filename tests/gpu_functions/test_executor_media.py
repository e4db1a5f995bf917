"""What the executor does to pictures on their way out: thumbnails, and no word of how they were made."""

import io
from collections.abc import AsyncGenerator

import pytest
from PIL import Image

from gpu_functions.contract import OutputStored
from tests.doubles.front_door import FrontDoorDouble
from tests.gpu_functions.engine import Bench, bench, image, noise


@pytest.fixture(scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Bench, None]:
    async with bench(tmp_path_factory.mktemp("engine")) as started:
        yield started


async def test_a_picture_comes_with_its_thumbnail(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    job = front_door.submit(noise(1_024))
    await engine.run(front_door, job)
    [stored] = [event for event in job.events if isinstance(event, OutputStored)]
    assert stored.thumbnail is not None
    thumbnail = job.registered[stored.thumbnail]
    assert (thumbnail.thumbnail_of, thumbnail.content_type) == (stored.asset_id, "image/webp")
    with Image.open(io.BytesIO(front_door.files[str(stored.thumbnail)])) as shown:
        assert (shown.format, shown.size) == ("WEBP", (512, 512))


async def test_a_small_picture_is_its_own_thumbnail(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    job = front_door.submit(image(0x123456, size=1_024))
    await engine.run(front_door, job)
    [stored] = [event for event in job.events if isinstance(event, OutputStored)]
    assert stored.thumbnail is None
    assert len(job.registered) == 1


async def test_no_output_says_how_it_was_made_where_the_job_asks_for_that(
    engine: Bench, front_door: FrontDoorDouble
) -> None:
    form = {"fps": 6.0, "lossless": True, "quality": 80, "method": "default"}
    animated = {"images": ["3", 0], "filename_prefix": "a", **form}
    graph = noise(64) | {"4": {"class_type": "SaveAnimatedWEBP", "inputs": animated}}
    told = front_door.submit(graph)
    await engine.run(front_door, told)
    silent = front_door.submit(graph, strip_metadata=True)
    await engine.run(front_door, silent)
    assert all(b"class_type" in content for content in front_door.output_bytes(told))
    assert not any(b"class_type" in content for content in front_door.output_bytes(silent))
    for before, after in zip(
        sorted(front_door.output_bytes(told)), sorted(front_door.output_bytes(silent)), strict=True
    ):
        with Image.open(io.BytesIO(before)) as one, Image.open(io.BytesIO(after)) as other:
            assert one.format == other.format
            assert one.convert("RGB").tobytes() == other.convert("RGB").tobytes()
