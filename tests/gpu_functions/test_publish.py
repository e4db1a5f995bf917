import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest
from blake3 import blake3

from gpu_functions.comfyui.client import ComfyClient
from gpu_functions.comfyui.process import Running
from gpu_functions.contract import OutputStored, Succeeded
from gpu_functions.events import EventSender
from gpu_functions.front_door import FrontDoor
from gpu_functions.media.process import MediaProcess
from gpu_functions.publish import OutputPublisher, PublishError
from gpu_functions.transfer import Transfer, http_client
from tests.doubles.front_door import WORKER_TOKEN, FrontDoorDouble, JobRecord
from tests.gpu_functions import media_files


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """ComfyUI's folders after a hostile node was at work in them."""
    (tmp_path / "secret").write_bytes(b"secret")
    output = tmp_path / "output"
    output.mkdir()
    for number in range(6):
        (output / f"{number}.png").write_bytes(b"%d" % number * (600_000 * (number == 0) + 1))
    (output / "link.png").symlink_to(tmp_path / "secret")
    os.link(tmp_path / "secret", output / "hard.png")
    os.mkfifo(output / "fifo.png")
    return tmp_path


@pytest.fixture
def job(front_door: FrontDoorDouble) -> JobRecord:
    return front_door.submit({})


@pytest.fixture
async def sender(front_door: FrontDoorDouble, job: JobRecord) -> AsyncGenerator[EventSender, None]:
    async with httpx.AsyncClient(base_url=front_door.url) as http:
        door = FrontDoor(http, WORKER_TOKEN)
        post = partial(door.send_events, job.ticket.job_id, job.ticket.event_token)
        async with EventSender(post, heartbeat_s=5, give_up_after_s=5) as sender:
            yield sender


@pytest.fixture
async def publisher(
    front_door: FrontDoorDouble, job: JobRecord, sender: EventSender, folders: Path
) -> AsyncGenerator[OutputPublisher, None]:
    async with httpx.AsyncClient(base_url=front_door.url) as http, http_client() as storage:
        running = Running("", ComfyClient(http), {}, folders, asyncio.Event(), "")
        door, transfer = FrontDoor(http, WORKER_TOKEN), Transfer(storage, patience_s=2)
        publisher = OutputPublisher(job.ticket, door, transfer, sender, running, lambda: 5.0)
        yield publisher
        await publisher.close()


def images(*names: str, subfolder: str = "") -> dict[str, object]:
    return {
        "images": [{"filename": n, "subfolder": subfolder, "type": "output"} for n in names],
    }


async def test_outputs_are_reported_in_the_order_they_appeared(
    publisher: OutputPublisher, sender: EventSender, job: JobRecord, front_door: FrontDoorDouble
) -> None:
    names = [f"{number}.png" for number in range(6)]
    publisher.offer("1", images(*names))
    await publisher.finish()
    await sender.end(Succeeded())
    assert job.output_names == names
    assert front_door.output_bytes(job)[0] == b"0" * 600_001


async def test_a_file_named_twice_is_stored_once(
    publisher: OutputPublisher, sender: EventSender, job: JobRecord
) -> None:
    publisher.offer("1", images("1.png"))
    publisher.offer("1", images("1.png", "2.png"))
    await publisher.finish()
    await sender.end(Succeeded())
    assert job.output_names == ["1.png", "2.png"]


async def test_equal_basenames_get_different_names(
    publisher: OutputPublisher, sender: EventSender, job: JobRecord, folders: Path
) -> None:
    (folders / "output" / "sub").mkdir()
    (folders / "output" / "sub" / "1.png").write_bytes(b"another")
    publisher.offer("1", images("1.png"))
    publisher.offer("2", images("1.png", subfolder="sub"))
    await publisher.finish()
    await sender.end(Succeeded())
    assert sorted(job.output_names) == ["1-2.png", "1.png"]


@pytest.mark.parametrize(
    ("subfolder", "name"),
    [
        ("", "link.png"),
        ("", "hard.png"),
        ("", "fifo.png"),
        ("..", "secret"),
        ("", "../secret"),
        ("/etc", "passwd"),
        ("", "gone.png"),
    ],
)
async def test_a_file_that_is_not_the_jobs_is_refused_and_nothing_is_uploaded(
    publisher: OutputPublisher, front_door: FrontDoorDouble, subfolder: str, name: str
) -> None:
    publisher.offer("1", images(name, subfolder=subfolder))
    async with asyncio.timeout(5):
        with pytest.raises(PublishError, match=Path(name).name):
            await publisher.finish()
    assert not front_door.files
    assert front_door.faults.requests["outputs"] == 0


async def test_a_3d_path_that_names_nothing_is_no_output(
    publisher: OutputPublisher, sender: EventSender, job: JobRecord
) -> None:
    publisher.offer("1", {"result": ["mesh/cube.glb", None]})
    await publisher.finish()
    await sender.end(Succeeded())
    assert job.events == [Succeeded()]


async def test_a_text_becomes_a_file(
    publisher: OutputPublisher, sender: EventSender, job: JobRecord, front_door: FrontDoorDouble
) -> None:
    publisher.offer("7", {"text": ["grüße"]})
    await publisher.finish()
    await sender.end(Succeeded())
    assert front_door.output_bytes(job) == ["grüße".encode()]
    (registration,) = job.registered.values()
    assert (registration.kind, registration.name) == ("text", "text_7.txt")


@pytest.fixture
async def stripping(publisher: OutputPublisher) -> AsyncGenerator[OutputPublisher, None]:
    """A publisher for a job whose outputs are to say nothing of their making."""
    media = MediaProcess(Path(sys.executable))
    publisher.ticket = publisher.ticket.model_copy(update={"strip_metadata": True})
    publisher.running = replace(publisher.running, media=media)
    yield publisher
    await media.close()


async def test_an_output_is_stripped_and_declared_as_what_is_uploaded(
    stripping: OutputPublisher,
    sender: EventSender,
    job: JobRecord,
    folders: Path,
    front_door: FrontDoorDouble,
) -> None:
    content = media_files.png()
    (folders / "output" / "1.png").write_bytes(content)
    stripping.offer("1", images("1.png"))
    stripping.offer("2", {"text": ["class_type"]})
    await stripping.finish()
    await sender.end(Succeeded())
    stored, text = front_door.output_bytes(job)
    assert (text, b"class_type" in stored) == (b"class_type", False)
    told = job.events[0]
    assert isinstance(told, OutputStored)
    assert told.blake3 == blake3(stored).hexdigest()
    assert job.registered[told.asset_id].size_bytes == len(stored) < len(content)
    assert (folders / "output" / "1.png").read_bytes() == content


async def test_an_output_that_cannot_be_stripped_is_not_published(
    stripping: OutputPublisher, front_door: FrontDoorDouble, folders: Path
) -> None:
    (folders / "output" / "clip.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(99))
    stripping.offer("1", images("clip.mp4"))
    with pytest.raises(PublishError, match=r"clip\.mp4.*COMFYUI_PYTHON") as refused:
        await stripping.finish()
    assert refused.value.final
    assert front_door.faults.requests["outputs"] == 0


async def test_without_anything_that_opens_files_nothing_is_published(
    stripping: OutputPublisher, front_door: FrontDoorDouble
) -> None:
    stripping.running = replace(stripping.running, media=None)
    stripping.offer("1", images("1.png"))
    with pytest.raises(PublishError, match=r"1\.png"):
        await stripping.finish()
    assert not front_door.files


async def test_a_stale_epoch_at_registration_stops_the_run(
    publisher: OutputPublisher, sender: EventSender, job: JobRecord
) -> None:
    job.epoch = 2
    publisher.offer("1", images("1.png"))
    await publisher.finish()
    assert sender.stopped.is_set()
