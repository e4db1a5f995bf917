"""Flags of ComfyUI that the engine heeds."""

import io
from pathlib import Path

import aiohttp
from PIL import Image

from tests.comfy_images.engine.graphs import empty, save
from tests.comfy_images.engine.process import running_engine


async def test_disabled_metadata_leaves_every_kind_of_file_bare(tmp_path: Path) -> None:
    moving = {"images": ["1", 0], "filename_prefix": "bare", "fps": 6.0}
    prompt = {
        "1": empty(7),
        "2": save("1", "bare"),
        "3": {"class_type": "SaveAnimatedPNG", "inputs": {**moving, "compress_level": 4}},
        "4": {
            "class_type": "SaveAnimatedWEBP",
            "inputs": {**moving, "lossless": True, "quality": 80, "method": "default"},
        },
    }
    async with running_engine(tmp_path, "--disable-metadata") as bare:
        entry = await bare.client.run(prompt)

    for node in ("2", "3", "4"):
        [file] = entry["outputs"][node]["images"]
        content = (tmp_path / "output" / file["filename"]).read_bytes()
        assert b"EmptyImage" not in content
        Image.open(tmp_path / "output" / file["filename"]).verify()


async def test_a_body_over_the_limit_is_too_large(tmp_path: Path) -> None:
    async with running_engine(tmp_path, "--max-upload-size", "1") as small:
        form = aiohttp.FormData()
        form.add_field("image", io.BytesIO(b"x" * 1_100_000), filename="a.png")
        answer = await small.client.send("POST", "/upload/image", data=form)
        features = (await small.client.get("/features")).body

    assert answer.status == 413
    assert features["max_upload_size"] == 1024 * 1024
