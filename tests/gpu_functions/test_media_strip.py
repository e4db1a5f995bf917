"""Strangers' files without what they say of their making: same pixels, same samples, no workflow."""

import io
import json
import struct
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image, ImageSequence

from gpu_functions.media.files import CannotStripError
from gpu_functions.media.process import MediaProcess
from tests.gpu_functions import media_files as files
from tests.gpu_functions.media_files import WORKFLOW
from tests.gpu_functions.test_media_thumbnails import bomb


@pytest.fixture(scope="module")
async def media() -> AsyncGenerator[MediaProcess]:
    """On our own interpreter, which has Pillow but no PyAV."""
    media = MediaProcess(Path(sys.executable))
    yield media
    await media.close()


async def stripped(media: MediaProcess, content: bytes, extension: str) -> bytes | None:
    """The file without its metadata; None where it stays as it is."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as made:
        given.write(content)
        given.flush()
        if not await media.strip(given, len(content), extension, made):
            return None
        made.seek(0)
        return made.read()


async def without(media: MediaProcess, content: bytes, extension: str) -> bytes:
    """The same, of a file that has metadata; none of it is left."""
    assert any(secret in content for secret in files.SECRETS)
    made = await stripped(media, content, extension)
    assert made is not None
    assert not [secret for secret in files.SECRETS if secret in made]
    return made


async def refusal(media: MediaProcess, content: bytes, extension: str) -> str:
    with pytest.raises(CannotStripError) as refused:
        await stripped(media, content, extension)
    return str(refused.value)


def opened(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content))


def frames(content: bytes) -> list[tuple[object, bytes]]:
    """How long each frame is shown, and its pixels."""
    return [
        (frame.info.get("duration"), np.asarray(frame.convert("RGBA")).tobytes())
        for frame in ImageSequence.Iterator(opened(content))
    ]


# --- pictures -------------------------------------------------------------------------------------

PICTURES: dict[str, Callable[[], bytes]] = {
    "png": files.png,
    "png with colours": lambda: files.png(icc_profile=b"a profile", dpi=(72, 72)),
    "png of sixteen bits": lambda: files.png("I;16"),
    "png with a palette": lambda: files.png("P", transparency=3),
    "jpeg": files.jpeg,
    "progressive jpeg": lambda: files.jpeg(progressive=True, optimize=True),
    "jpeg for print": lambda: files.jpeg("CMYK"),
    "jpeg with restarts": lambda: files.jpeg(restart_marker_blocks=2, quality=100),
    "jpeg with colours": lambda: files.jpeg(icc_profile=b"p" * 70_000),
    "webp": files.webp,
    "lossless webp": lambda: files.webp(mode="RGBA", lossless=True),
    "webp with alpha": lambda: files.webp(mode="RGBA", icc_profile=b"a profile"),
}
MOVING: dict[str, Callable[[], bytes]] = {
    "animated webp": lambda: files.webp(4, "RGBA"),
    "lossless animated webp": lambda: files.webp(3, lossless=True),
    "gif": files.gif,
    "apng": lambda: files.png(
        save_all=True, append_images=[files.picture(1), files.picture(2)], duration=70, loop=2
    ),
}


@pytest.mark.parametrize("make", [*PICTURES.values(), *MOVING.values()], ids=[*PICTURES, *MOVING])
async def test_a_picture_keeps_its_pixels_and_loses_its_workflow(
    media: MediaProcess, make: Callable[[], bytes]
) -> None:
    content = make()
    made = await without(media, content, "png")
    assert frames(made) == frames(content)
    before, after = opened(content), opened(made)
    assert (after.format, after.mode, after.size) == (before.format, before.mode, before.size)
    # Pillow reads the density of a JPEG from its EXIF as well.
    density = "jfif_density" if before.format == "JPEG" else "dpi"
    for kept in ("icc_profile", "gamma", density, "loop", "transparency", "adobe", "background"):
        assert after.info.get(kept) == before.info.get(kept), kept
    assert not after.getexif()
    assert not {"prompt", "workflow", "xmp", "exif", "comment"} & set(after.info)


@pytest.mark.parametrize("make", [files.png, files.jpeg, files.webp])
async def test_a_picture_that_lies_on_its_side_still_does(
    media: MediaProcess, make: Callable[..., bytes]
) -> None:
    made = await without(media, make(orientation=6), "png")
    assert dict(opened(made).getexif()) == {0x0112: 6}


@pytest.mark.parametrize("make", [*PICTURES.values(), *MOVING.values()], ids=[*PICTURES, *MOVING])
async def test_stripping_again_changes_nothing(
    media: MediaProcess, make: Callable[[], bytes]
) -> None:
    once = await stripped(media, make(), "png")
    assert once is not None
    assert await stripped(media, once, "png") == once


async def test_the_flags_of_a_webp_say_what_is_in_it(media: MediaProcess) -> None:
    content = files.webp(mode="RGBA", icc_profile=b"a profile")
    made = await without(media, content, "webp")
    assert (content[20] & 0x0C, made[20] & 0x0C, made[20] | 0x0C) == (0x0C, 0, content[20])
    assert struct.unpack_from("<I", made, 4)[0] == len(made) - 8


async def test_a_drawing_keeps_every_other_byte(media: MediaProcess) -> None:
    made = await without(media, files.svg(), "svg")
    assert "<title>ein Kreis, größer</title><circle" in made.decode()
    assert b"metadata" not in made


# --- everything else ------------------------------------------------------------------------------


async def test_tensors_are_copied_and_their_header_says_no_more(media: MediaProcess) -> None:
    content = files.safetensors({"prompt": WORKFLOW, "format": "pt", "modelspec.title": WORKFLOW})
    for extension in ("latent", "safetensors"):
        made = await without(media, content, extension)
        (length,) = struct.unpack_from("<Q", made)
        header = json.loads(made[8 : 8 + length])
        assert header.pop("__metadata__") == {"format": "pt"}
        assert list(header) == ["latent_tensor", "latent_format_version_0"]
        assert (length % 8, made[8 + length :]) == (0, bytes(range(48)))


async def test_a_mesh_keeps_its_geometry(media: MediaProcess) -> None:
    made = await without(media, files.glb(), "glb")
    assert struct.unpack_from("<4sII", made) == (b"glTF", 2, len(made))
    length = struct.unpack_from("<I", made, 12)[0]
    expected = files.scene()
    del expected["asset"]["extras"], expected["scenes"][0]["extras"]
    assert json.loads(made[20 : 20 + length]) == expected
    assert made[20 + length :] == struct.pack("<I4s", 8, b"BIN\0") + b"vertices"
    text = json.dumps(files.scene()).encode()
    assert json.loads(await without(media, text, "gltf")) == expected


async def test_sound_is_copied(media: MediaProcess) -> None:
    made = await without(media, files.wav(), "wav")
    kinds = (made[12:16], made[36:40], len(made))
    assert kinds == (b"fmt ", b"data", struct.unpack_from("<I", made, 4)[0] + 8)
    assert made[44:145] == bytes(range(101))
    made = await without(media, files.flac(), "flac")
    assert made == (
        b"fLaC\0" + (34).to_bytes(3, "big") + files.STREAMINFO + b"\x83" + (18).to_bytes(3, "big")
        + bytes(18) + files.FLAC_SOUND
    )  # fmt: skip
    assert await without(media, files.mp3(), "mp3") == files.MP3_SOUND


@pytest.mark.parametrize("extension", ["txt", "json", "md", "obj", "stl", "ply", "fbx", "bmp"])
async def test_what_carries_no_workflow_stays_as_it_is(media: MediaProcess, extension: str) -> None:
    assert await stripped(media, b"v 1 0 0\n", extension) is None


async def test_a_file_is_what_it_begins_with_not_what_it_is_called(media: MediaProcess) -> None:
    assert opened(await without(media, files.png(), "txt")).format == "PNG"


# --- what cannot be stripped ----------------------------------------------------------------------

BROKEN = {
    "an empty picture": b"",
    "a chunk that does not end": files.png()[:70],
    "a chunk of 4 GiB": files.png()[:33] + b"\xff\xff\xff\xff" + files.png()[37:],
    "no header": b"\x89PNG\r\n\x1a\n" + files.chunk(b"IDAT", b"x") + files.chunk(b"IEND", b""),
    "a part that nobody knows": files.png()[:33] + files.chunk(b"CgBI", b"x") + files.png()[33:],
    "half a jpeg": files.jpeg(comment=b"")[: len(files.jpeg(comment=b"")) // 2],
    "a jpeg of nothing": b"\xff\xd8\xff",
    "a segment of no length": b"\xff\xd8\xff\xe1\x00\x00" + bytes(99),
    "a riff of 4 GiB": b"RIFF\xff\xff\xff\xffWEBP" + bytes(99),
    "a chunk beyond its riff": files.riff(b"WEBP", (b"VP8 ", b"")) [:-4] + b"\xff\xff\xff\xff",
    "a frame with more than a picture": files.riff(
        b"WEBP", (b"ANMF", bytes(16) + struct.pack("<4sI", b"WORK", 4) + b"work")
    ),
    "half a gif": files.gif()[:2_000],
    "a mesh of 4 GiB": struct.pack("<4sII", b"glTF", 2, 2**32 - 1) + bytes(99),
    "a mesh of nonsense": struct.pack("<4sII", b"glTF", 2, 24) + struct.pack("<I4s", 4, b"JSON") + b"[[[[",
    "a flac of blocks alone": b"fLaC" + bytes(2_000),
}  # fmt: skip


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
async def test_a_broken_file_is_refused_and_the_process_lives_on(
    media: MediaProcess, content: bytes
) -> None:
    assert await refusal(media, content, "png")
    assert await stripped(media, files.png(), "png")


@pytest.mark.parametrize(
    ("content", "extension"),
    [
        (struct.pack("<Q", 2**63) + b"{}", "latent"),
        (struct.pack("<Q", 2) + b"{}" + b"more", "latent"),
        (struct.pack("<Q", 200_000) + b"[" * 200_000, "latent"),
        (struct.pack("<Q", 12) + b'{"a":{"b":1}', "safetensors"),
        (b"[" * 500_000, "gltf"),
        (b'{"asset": {"version": NaN}}', "gltf"),
        (files.mp3()[:5_000], "mp3"),
        (b"not sound", "mp3"),
        (b"<svg><metadata></svg>", "svg"),
        (b'<!DOCTYPE s [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><svg>&b;</svg>', "svg"),
    ],
)
async def test_nonsense_in_a_known_kind_is_refused(
    media: MediaProcess, content: bytes, extension: str
) -> None:
    assert await refusal(media, content, extension)


@pytest.mark.parametrize("extension", ["avif", "tiff", "exr", "zip", "pdf", "avi", "npz", ""])
async def test_a_kind_that_nobody_here_can_strip_is_refused(
    media: MediaProcess, extension: str
) -> None:
    assert "of this kind" in await refusal(media, b"whatever it is", extension)


async def test_a_workflow_at_a_place_that_nobody_knows_is_found(media: MediaProcess) -> None:
    far = bytes((1 << 20) - 5) + WORKFLOW.encode() + bytes(1 << 20)
    assert "still in it" in await refusal(media, far, "bmp")
    assert "still in it" in await refusal(media, WORKFLOW.encode("utf-16-be"), "obj")
    behind = files.flac()[:-128] + WORKFLOW.encode()
    assert "still in it" in await refusal(media, behind, "flac")


async def test_a_video_without_pyav_is_refused_with_the_remedy(media: MediaProcess) -> None:
    for start in (b"\0\0\0\x20ftypisom", b"\x1aE\xdf\xa3", b"OggS"):
        why = await refusal(media, start + bytes(99), "mp4")
        assert "COMFYUI_PYTHON" in why


async def test_a_bomb_is_never_unpacked(media: MediaProcess, tmp_path: Path) -> None:
    content = bomb(tmp_path / "bomb.png", 12_000).read_bytes()
    assert await stripped(media, content, "png") == content
    texts = files.chunk(b"zTXt", b"prompt\0\0" + bytes(1_000_000))
    assert await stripped(media, content[:33] + texts + content[33:], "png") == content


async def test_a_process_that_dies_is_a_refusal_and_is_replaced() -> None:
    media = MediaProcess(Path("/nonexistent/python"))
    for _ in range(4):
        assert "did not outlive" in await refusal(media, files.png(), "png")
    media.interpreter = Path(sys.executable)
    assert await stripped(media, files.png(), "png")
    child = psutil.Process(media.pid)
    child.kill()
    child.wait(5)
    assert "did not outlive" in await refusal(media, files.png(), "png")
    assert await stripped(media, files.png(), "png")
    await media.close()


async def test_a_file_that_may_be_written_is_not_written_without_end(media: MediaProcess) -> None:
    assert await stripped(media, files.png(), "png")
    child = psutil.Process(media.pid)
    soft, hard = child.rlimit(psutil.RLIMIT_FSIZE)
    assert (soft, hard) == (0, 5 << 30)
