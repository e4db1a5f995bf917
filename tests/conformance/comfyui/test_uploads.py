"""Uploads: stored under the asked name if it is free or holds the same bytes."""

import io
import json
from typing import Any

import aiohttp
import pytest
from PIL import Image

from tests.comfy_images.engine.client import Answer, EngineClient
from tests.conformance.comfyui.servers import Server


async def _upload(
    client: EngineClient, content: bytes, name: str = "a.png", path: str = "/upload/image", **f: Any
) -> Answer:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("image", io.BytesIO(content), filename=name)
    for field, value in f.items():
        form.add_field(field, value)
    return await client.send("POST", path, data=form)


async def test_other_bytes_get_another_name_and_the_same_bytes_the_same(
    client: EngineClient, server: Server
) -> None:
    names = [
        (await _upload(client, content)).body["name"]
        for content in (b"one", b"one", b"two", b"two", b"three")
    ]

    assert names == ["a.png", "a.png", "a (1).png", "a (1).png", "a (2).png"]
    assert (server.base / "input" / "a (1).png").read_bytes() == b"two"


@pytest.mark.parametrize(("word", "name"), [("true", "o.png"), ("1", "o.png"), ("True", None)])
async def test_only_true_and_1_overwrite(client: EngineClient, word: str, name: str | None) -> None:
    await _upload(client, b"old", "o.png")

    answer = await _upload(client, b"new" + word.encode(), "o.png", overwrite=word)

    assert (answer.body["name"] == "o.png") == (name is not None)


async def test_a_subfolder_is_made_and_returned(client: EngineClient, server: Server) -> None:
    answer = await _upload(client, b"x", subfolder="job-1/in", path="/api/upload/image")

    assert answer.body == {"name": "a.png", "subfolder": "job-1/in", "type": "input"}
    assert (server.base / "input" / "job-1" / "in" / "a.png").read_bytes() == b"x"


@pytest.mark.parametrize("kind", ["temp", "output"])
async def test_a_type_picks_the_folder(client: EngineClient, server: Server, kind: str) -> None:
    answer = await _upload(client, b"x", "typed.png", type=kind)

    assert answer.body["type"] == kind
    assert (server.base / kind / "typed.png").exists()


async def test_any_kind_of_file_of_any_size_is_taken(client: EngineClient) -> None:
    assert (await _upload(client, b"", "empty.bin")).body["name"] == "empty.bin"
    assert (await _upload(client, b"x", "фото é 图.png")).body["name"] == "фото é 图.png"


@pytest.mark.parametrize("subfolder", ["../..", "/etc", "a/../../b"])
async def test_a_subfolder_outside_is_refused(client: EngineClient, subfolder: str) -> None:
    assert (await _upload(client, b"x", subfolder=subfolder)).status == 400


async def test_a_name_outside_is_refused(client: EngineClient) -> None:
    assert (await _upload(client, b"x", "../zz.png")).status == 400


async def test_an_unknown_type_is_an_internal_error(client: EngineClient) -> None:
    assert (await _upload(client, b"x", type="bogus")).status == 500


async def test_a_form_without_the_file_is_refused(client: EngineClient) -> None:
    form = aiohttp.FormData({"wrong": "field"})

    assert (await client.send("POST", "/upload/image", data=form)).status == 400


async def _upload_mask(client: EngineClient, content: bytes, **fields: str) -> Answer:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("image", io.BytesIO(content), filename=fields.pop("name", "masked.png"))
    for field, value in fields.items():
        form.add_field(field, value)
    return await client.send("POST", "/upload/mask", data=form)


def _png(mode: str, size: tuple[int, int], color: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, color).save(buffer, "PNG")
    return buffer.getvalue()


async def test_a_mask_is_put_on_its_original_and_stored_beside_it(
    client: EngineClient, server: Server
) -> None:
    await _upload(client, _png("RGB", (6, 4), (9, 8, 7)), "original.png", overwrite="true")
    reference = json.dumps({"filename": "original.png", "type": "input"})
    mask = _png("RGBA", (6, 4), (0, 0, 0, 77))

    answer = await _upload_mask(client, mask, original_ref=reference)

    assert answer.body == {"name": "masked.png", "subfolder": "", "type": "input"}
    with Image.open(server.base / "input" / "masked.png") as stored:
        assert stored.mode == "RGBA"
        assert stored.getpixel((0, 0)) == (9, 8, 7, 77)


async def test_a_mask_of_a_missing_original_is_accepted_and_not_stored(
    client: EngineClient, server: Server
) -> None:
    reference = json.dumps({"filename": "missing.png", "type": "input"})

    answer = await _upload_mask(
        client, _png("RGBA", (6, 4), 0), name="nowhere.png", original_ref=reference
    )

    assert answer.body == {"name": "nowhere.png", "subfolder": "", "type": "input"}
    assert not (server.base / "input" / "nowhere.png").exists()


@pytest.mark.parametrize(
    "fields", [{}, {"original_ref": '{"filename": "photo.png", "type": "input"}'}]
)
async def test_a_mask_without_reference_or_of_another_size_is_an_internal_error(
    client: EngineClient, fields: dict[str, str]
) -> None:
    assert (await _upload_mask(client, _png("RGBA", (3, 3), 0), **fields)).status == 500
