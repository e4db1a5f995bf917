"""What the engine says about itself and its nodes."""

import pytest

from tests.comfy_images.engine.captures import load
from tests.comfy_images.engine.client import EngineClient

_CAPTURED = load("object_info.json")


@pytest.mark.parametrize("name", list(_CAPTURED))
async def test_an_entry_of_object_info_equals_the_captured_one(
    client: EngineClient, name: str
) -> None:
    entry = (await client.get(f"/object_info/{name}")).body[name]

    expected = _CAPTURED[name]
    if name == "LoadImage":  # the choices are the files that happen to be there
        assert entry["input"]["required"]["image"][0] == ["photo.png"]
        expected["input"]["required"]["image"][0] = ["photo.png"]
    assert entry == expected


async def test_all_nodes_are_listed_with_those_of_our_pack(client: EngineClient) -> None:
    info = (await client.get("/api/object_info")).body

    assert info.keys() >= _CAPTURED.keys()
    assert info["BurstPoster"]["python_module"].startswith("custom_nodes.")


async def test_an_unknown_class_has_no_entry(client: EngineClient) -> None:
    answer = await client.get("/object_info/Nope")

    assert (answer.status, answer.body) == (200, {})


async def test_the_server_says_that_it_is_not_comfyui(client: EngineClient) -> None:
    system = (await client.get("/system_stats")).body["system"]

    assert system["comfyui_version"] == "engine-0.1.0"
    assert system["is_comfyui"] is False
    assert "COMFYUI_URL" in system["notice"]
    assert system["ram_total"] > system["ram_free"] > 0


async def test_features_are_those_of_comfyui(client: EngineClient) -> None:
    assert (await client.get("/features")).body == {
        "supports_preview_metadata": True,
        "max_upload_size": 104857600,
        "extension": {"manager": {"supports_v4": True}},
    }


async def test_unknown_paths_are_not_found(client: EngineClient) -> None:
    assert (await client.get("/api/nosuch")).status == 404
