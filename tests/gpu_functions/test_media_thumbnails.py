"""Thumbnails of strangers' files: small, without metadata, and never worth a run."""

import io
import os
import sys
import time
import zlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image, PngImagePlugin

from gpu_functions.media.process import MediaProcess


@pytest.fixture
async def media() -> AsyncGenerator[MediaProcess]:
    """On our own interpreter, which has Pillow."""
    media = MediaProcess(Path(sys.executable))
    yield media
    await media.close()


def saved(folder: Path, image: Image.Image, name: str, **options: Any) -> Path:
    """An image in a file."""
    path = folder / name
    image.save(path, **options)
    return path


async def made(media: MediaProcess, path: Path) -> Image.Image | None:
    """The thumbnail of a file, decoded."""
    with path.open("rb") as file:
        content = await media.thumbnail(file, os.fstat(file.fileno()).st_size, "image")
        assert file.tell() == 0
    if content is None:
        return None
    image = Image.open(io.BytesIO(content))
    assert image.format == "WEBP"
    return image


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.gif", "a.bmp", "a.tiff"])
async def test_a_picture_of_any_kind_becomes_a_small_one(
    media: MediaProcess, tmp_path: Path, name: str
) -> None:
    path = saved(tmp_path, Image.new("RGB", (1_600, 800), (200, 30, 30)), name)
    small = await made(media, path)
    assert small is not None
    assert small.size == (512, 256)
    colour = np.asarray(small.convert("RGB"))[9, 9].astype(int)
    assert np.abs(colour - [200, 30, 30]).max() < 8


async def test_transparency_stays_and_small_pictures_do_not_grow(
    media: MediaProcess, tmp_path: Path
) -> None:
    path = saved(tmp_path, Image.new("RGBA", (40, 20), (0, 0, 0, 0)), "a.png")
    small = await made(media, path)
    assert small is not None
    assert (small.mode, small.size) == ("RGBA", (40, 20))


async def test_the_workflow_in_a_picture_is_not_in_its_thumbnail(
    media: MediaProcess, tmp_path: Path
) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", "a secret prompt")
    path = saved(tmp_path, Image.new("RGB", (64, 64)), "a.png", pnginfo=info)
    with path.open("rb") as file:
        content = await media.thumbnail(file, path.stat().st_size, "image")
    assert content
    assert b"secret" not in content
    assert not Image.open(io.BytesIO(content)).getexif()


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
async def test_what_is_no_picture_has_none_and_the_process_lives_on(
    media: MediaProcess, tmp_path: Path, content: bytes
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(content)
    assert await made(media, broken) is None
    good = saved(tmp_path, Image.new("RGB", (8, 8)), "good.png")
    assert await made(media, good) is not None


def bomb(path: Path, side: int) -> Path:
    """A PNG of a few hundred kilobytes that is side² pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return len(data).to_bytes(4) + body + zlib.crc32(body).to_bytes(4)

    header = side.to_bytes(4) + side.to_bytes(4) + bytes([8, 2, 0, 0, 0])
    packed = zlib.compressobj(9)
    rows = b"".join(packed.compress(b"\0" * (1 + 3 * side)) for _ in range(side))
    data = rows + packed.flush()
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
    return path


async def test_a_decompression_bomb_is_refused_before_it_is_decoded(
    media: MediaProcess, tmp_path: Path
) -> None:
    path = bomb(tmp_path / "bomb.png", 12_000)
    assert path.stat().st_size < 1_000_000
    started = time.monotonic()
    assert await made(media, path) is None
    assert time.monotonic() - started < 5


async def test_a_process_that_dies_is_replaced(media: MediaProcess, tmp_path: Path) -> None:
    good = saved(tmp_path, Image.new("RGB", (8, 8)), "good.png")
    assert await made(media, good) is not None
    [child] = openers()
    child.kill()
    child.wait(5)
    assert await made(media, good) is None, "this one is lost"
    assert await made(media, good) is not None, "the next is not"


async def test_its_process_is_bounded_and_sees_nothing_of_ours(
    media: MediaProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMFYBURST_SECRET", "x" * 40)
    assert await made(media, saved(tmp_path, Image.new("RGB", (8, 8)), "a.png")) is not None
    [child] = openers()
    assert "COMFYBURST_SECRET" not in child.environ()
    assert child.rlimit(psutil.RLIMIT_AS)[1] == 2 << 30
    assert child.rlimit(psutil.RLIMIT_FSIZE)[0] == 0
    await media.close()
    assert not child.is_running()


async def test_an_interpreter_without_pillow_costs_no_run(tmp_path: Path) -> None:
    media = MediaProcess(Path("/nonexistent/python"))
    path = saved(tmp_path, Image.new("RGB", (8, 8)), "a.png")
    for _ in range(5):
        assert await made(media, path) is None
    assert openers() == []


async def test_the_upload_of_a_file_is_not_disturbed(media: MediaProcess, tmp_path: Path) -> None:
    path = saved(tmp_path, Image.effect_noise((600, 600), 50), "a.png")
    with path.open("rb") as file:
        half = file.read(path.stat().st_size // 2)
        assert await media.thumbnail(file, path.stat().st_size, "image")
        assert half + file.read() == path.read_bytes()


def openers() -> list[psutil.Process]:
    """Running processes of this one that open files."""
    return [
        child
        for child in psutil.Process(os.getpid()).children(recursive=True)
        if "serve.py" in " ".join(child.cmdline())
    ]
