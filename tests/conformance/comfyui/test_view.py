"""/view: files out of the three folders, and out of nowhere else."""

import io
from typing import Any

import pytest
from PIL import Image

from tests.comfy_images.engine.client import Answer, EngineClient
from tests.conformance.comfyui.servers import Server


async def _view(client: EngineClient, method: str = "GET", **query: Any) -> Answer:
    headers = query.pop("headers", None)
    return await client.send(method, "/view", params={"type": "input"} | query, headers=headers)


async def test_a_file_comes_with_its_type_name_and_tag(
    client: EngineClient, server: Server
) -> None:
    answer = await _view(client, filename="photo.png")

    assert answer.body == (server.base / "input" / "photo.png").read_bytes()
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"] == 'filename="photo.png"'
    assert answer.headers["Etag"]


async def test_a_range_and_a_head_are_answered(client: EngineClient) -> None:
    part = await _view(client, filename="photo.png", headers={"Range": "bytes=0-9"})
    head = await _view(client, "HEAD", filename="photo.png")

    assert (part.status, len(part.body)) == (206, 10)
    assert part.headers["Content-Range"].startswith("bytes 0-9/")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) > 10


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 404),
        ({"filename": "nofile.png"}, 404),
        ({"filename": "../x.png"}, 400),
        ({"filename": "/etc/passwd"}, 400),
        ({"filename": "photo.png", "type": "bogus"}, 400),
        ({"filename": "passwd", "subfolder": "../../etc"}, 403),
        ({"filename": "passwd", "subfolder": "/etc"}, 403),
    ],
)
async def test_what_is_not_there_or_not_inside_is_refused(
    client: EngineClient, query: dict[str, str], status: int
) -> None:
    answer = await _view(client, **query)

    assert (answer.status, answer.body) == (status, b"")


async def test_active_content_comes_as_a_stream_of_bytes(
    client: EngineClient, server: Server
) -> None:
    """Before 0.28, ComfyUI lets code.js through: it looks for another name of that type."""
    for name in ("page.html", "code.js", "style.css"):
        (server.base / "input" / name).write_text("x")

        answer = await _view(client, filename=name)

        expected = "application/octet-stream"
        if server.is_comfyui and server.version < (0, 28) and name == "code.js":
            expected = "application/javascript; charset=utf-8"
        assert answer.headers["Content-Type"] == expected


@pytest.mark.parametrize(
    ("preview", "kind"), [("webp;50", "WEBP"), ("jpeg;90", "JPEG"), ("bogus", "WEBP")]
)
async def test_a_preview_is_encoded_anew(client: EngineClient, preview: str, kind: str) -> None:
    answer = await _view(client, filename="photo.png", preview=preview)

    assert answer.headers["Content-Type"] == f"image/{kind.lower()}"
    assert Image.open(io.BytesIO(answer.body)).format == kind


async def test_a_preview_of_what_is_no_image_is_an_internal_error(
    client: EngineClient, server: Server
) -> None:
    (server.base / "input" / "v.mp4").write_bytes(b"no video")

    assert (await _view(client, filename="v.mp4", preview="webp")).status == 500


async def test_colours_and_alpha_can_be_had_apart(client: EngineClient, server: Server) -> None:
    Image.new("RGBA", (4, 4), (9, 8, 7, 6)).save(server.base / "input" / "glass.png")

    colours = await _view(client, filename="glass.png", channel="rgb")
    alpha = await _view(client, filename="glass.png", channel="a")

    assert Image.open(io.BytesIO(colours.body)).getpixel((0, 0)) == (9, 8, 7)
    assert Image.open(io.BytesIO(alpha.body)).getpixel((0, 0)) == (0, 0, 0, 6)
