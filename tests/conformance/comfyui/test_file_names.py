"""What saved files are called, and what is written into them."""

import json
import time
from typing import Any

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from tests.comfy_images.engine.client import EngineClient
from tests.comfy_images.engine.graphs import empty, load, preview, save
from tests.conformance.comfyui.servers import Server

_colors = iter(range(1000, 2000))


async def _saved(client: EngineClient, prefix: str, **inputs: Any) -> list[Any]:
    """The files of a fresh save under `prefix`."""
    entry = await client.run({"1": empty(next(_colors), **inputs), "2": save("1", prefix)})
    files: list[Any] = entry["outputs"]["2"]["images"]
    return files


@pytest.mark.parametrize(
    ("prefix", "subfolder", "name"),
    [
        ("plain", "", "plain_00001_.png"),
        ("sub/dir/img", "sub/dir", "img_00001_.png"),
        ("sub/dir/", "sub", "dir_00001_.png"),
        ("%width%x%height%", "", "64x64_00001_.png"),
        ("%date:yyyy-MM-dd%", "", "%date:yyyy-MM-dd%_00001_.png"),
        ("%EmptyImage.width%", "", "%EmptyImage.width%_00001_.png"),
        ("dot.name", "", "dot.name_00001_.png"),
        ("a:b?c*", "", "a:b?c*_00001_.png"),
        ("", "", "._00001_.png"),
        ("тест", "", "тест_00001_.png"),
    ],
)
async def test_a_prefix_becomes_the_captured_name(
    client: EngineClient, server: Server, prefix: str, subfolder: str, name: str
) -> None:
    assert await _saved(client, prefix) == [
        {"filename": name, "subfolder": subfolder, "type": "output"}
    ]
    assert (server.base / "output" / subfolder / name).is_file()


async def test_the_date_is_expanded(client: EngineClient) -> None:
    [file] = await _saved(client, "%year%-%month%-%day%/img")

    assert file["subfolder"] == time.strftime("%Y-%m-%d")


async def test_the_counter_goes_on_after_the_highest_number_of_any_extension(
    client: EngineClient, server: Server
) -> None:
    (server.base / "output" / "count_00041_.webp").touch()
    (server.base / "output" / "count_more_00099_.png").touch()

    [file] = await _saved(client, "count")

    assert file["filename"] == "count_00042_.png"


async def test_a_batch_is_numbered_through(client: EngineClient) -> None:
    plain = await _saved(client, "batch", batch_size=3)
    numbered = await _saved(client, "nth_%batch_num%", batch_size=2)

    assert [f["filename"] for f in plain] == [f"batch_0000{n}_.png" for n in (1, 2, 3)]
    assert [f["filename"] for f in numbered] == ["nth_0_00001_.png", "nth_1_00002_.png"]


@pytest.mark.parametrize("prefix", ["../escape", "/abs", "sub/../../escape"])
async def test_a_prefix_that_leaves_the_output_folder_fails_the_node(
    client: EngineClient, server: Server, prefix: str
) -> None:
    entry = await client.run({"1": empty(next(_colors)), "2": save("1", prefix)})

    kind, data = entry["status"]["messages"][-1]
    assert kind == "execution_error"
    assert "outside the output folder" in data["exception_message"]
    assert not list(server.base.parent.glob("escape*"))
    assert not list(server.base.glob("escape*"))


async def test_a_preview_goes_to_the_temp_folder(client: EngineClient, server: Server) -> None:
    entry = await client.run({"1": empty(next(_colors)), "2": preview("1")})

    [file] = entry["outputs"]["2"]["images"]
    assert file["type"] == "temp"
    assert (server.base / "temp" / file["filename"]).is_file()


def _texts(server: Server, entry: Any) -> dict[str, str]:
    [file] = entry["outputs"]["2"]["images"]
    with Image.open(server.base / "output" / file["filename"]) as image:
        assert isinstance(image, PngImageFile)
        return {name: str(text) for name, text in image.text.items()}


async def test_the_prompt_and_every_key_of_extra_pnginfo_are_in_the_file(
    client: EngineClient, server: Server
) -> None:
    prompt = {"1": load("photo.png"), "2": save("1", "meta")}
    info = {"workflow": {"id": "w"}, "job": "j"}

    entry = await client.run(prompt, extra_data={"extra_pnginfo": info})

    texts = _texts(server, entry)
    assert json.loads(texts["workflow"]) == {"id": "w"}
    assert json.loads(texts["job"]) == "j"
    written = json.loads(texts["prompt"])
    assert [len(digest) for digest in written["1"].pop("is_changed")] == [64]
    assert written == prompt
    assert "is_changed" not in entry["prompt"][2]["1"]
