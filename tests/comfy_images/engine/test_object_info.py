"""What the engine says about itself and its nodes."""

from typing import Any

import pytest

from tests.comfy_images.engine.captures import load
from tests.comfy_images.engine.client import EngineClient
from tests.comfy_images.engine.process import EngineProcess

_CAPTURED = load("object_info.json")


@pytest.mark.parametrize("name", list(_CAPTURED))
async def test_an_entry_of_object_info_equals_the_captured_one(
    client: EngineClient, name: str
) -> None:
    entry = (await client.get(f"/object_info/{name}")).body[name]

    if name in {"LoadImage", "LoadImageMask"}:  # the choices are the files that happen to be there
        files = entry["input"]["required"]["image"]
        assert files[0] == ["photo.png"]
        files[0] = []
    assert entry == _CAPTURED[name]


async def test_all_nodes_are_listed_with_those_of_our_pack(client: EngineClient) -> None:
    info = (await client.get("/api/object_info")).body

    core = {name for name, entry in info.items() if not _is_of_pack(entry)}
    assert core == _CAPTURED.keys()
    assert info["BurstPoster"]["python_module"].startswith("custom_nodes.")


def _is_of_pack(entry: Any) -> bool:
    return entry["python_module"].startswith("custom_nodes.")


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


async def test_unknown_paths_are_not_found_without_a_word(client: EngineClient) -> None:
    for path in ("/nosuch", "/api/nosuch", "/jobs", "/api/internal/logs/raw"):
        answer = await client.get(path)
        assert (answer.status, answer.body) == (404, b"")


async def test_the_log_tells_what_this_is(client: EngineClient) -> None:
    raw = (await client.get("/internal/logs/raw")).body
    text = (await client.get("/internal/logs")).body

    assert raw["size"] == {"cols": 80, "rows": 24}
    assert "embedded engine" in raw["entries"][0]["m"]
    assert text.startswith(f"{raw['entries'][0]['t']} - {raw['entries'][0]['m']}")


async def test_model_files_are_listed_by_folder(
    client: EngineClient, engine: EngineProcess
) -> None:
    for name in ("checkpoints/sub/a.safetensors", "checkpoints/b.ckpt", "embeddings/style.pt"):
        path = engine.base / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    assert "checkpoints" in (await client.get("/models")).body
    files = (await client.get("/api/models/checkpoints")).body
    assert files == ["b.ckpt", "sub/a.safetensors"]
    assert (await client.get("/models/loras")).body == []
    assert (await client.get("/embeddings")).body == ["style"]
    assert (await client.get("/models/nosuch")).status == 404
