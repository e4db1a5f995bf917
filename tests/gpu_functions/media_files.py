"""Files as ComfyUI and others make them, with a workflow wherever their kind has room for one."""

import io
import json
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

WORKFLOW = json.dumps({"1": {"class_type": "KSampler", "inputs": {"text": "a secret prompt"}}})
SECRETS = (b"class_type", b"secret", WORKFLOW.encode("utf-16-le"))
_MODEL_TAG, _ORIENTATION_TAG = 0x0110, 0x0112


def picture(seed: int = 0, mode: str = "RGB", side: int = 48) -> Image.Image:
    """Noise: a picture whose every pixel counts."""
    values = np.random.default_rng(seed).integers(0, 256, (side, side, 4), dtype=np.uint8)
    return Image.fromarray(values, "RGBA").convert(mode)


def exif(orientation: int = 1) -> Image.Exif:
    """As ComfyUI's WebP has it: the prompt as the camera's model."""
    made = Image.Exif()
    made[_MODEL_TAG] = f"prompt:{WORKFLOW}"
    made[_MODEL_TAG - 1] = f"workflow:{WORKFLOW}"
    if orientation != 1:
        made[_ORIENTATION_TAG] = orientation
    return made


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """A picture in a file."""
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png(mode: str = "RGB", orientation: int = 1, **options: Any) -> bytes:
    """Text of all three kinds, EXIF, a time, something private, and bytes behind the end."""
    info = PngImagePlugin.PngInfo()
    info.add_text("prompt", WORKFLOW)
    info.add_text("workflow", WORKFLOW, zip=True)
    info.add_itxt("xmp", WORKFLOW)
    info.add(b"gAMA", struct.pack(">I", 45_455))
    info.add(b"tIME", struct.pack(">HBBBBB", 2026, 1, 1, 0, 0, 0))
    info.add(b"comf", b"prompt\0" + WORKFLOW.encode(), after_idat=True)
    image = picture(mode=mode)
    return saved(image, "PNG", pnginfo=info, exif=exif(orientation), **options) + WORKFLOW.encode()


def jpeg(mode: str = "RGB", orientation: int = 1, **options: Any) -> bytes:
    """EXIF, XMP, a comment, and bytes behind the end."""
    options = {"exif": exif(orientation), "xmp": WORKFLOW.encode(), "comment": WORKFLOW} | options
    return saved(picture(mode=mode), "JPEG", **options) + WORKFLOW.encode()


def webp(frames: int = 1, mode: str = "RGB", orientation: int = 1, **options: Any) -> bytes:
    """EXIF and XMP."""
    first, *more = [picture(seed, mode) for seed in range(frames)]
    if more:
        options |= {"save_all": True, "append_images": more, "duration": 70, "loop": 3}
    return saved(first, "WEBP", exif=exif(orientation), xmp=WORKFLOW.encode(), **options)


def gif(frames: int = 3) -> bytes:
    """A comment, beside the loop."""
    first, *more = [picture(seed, "P") for seed in range(frames)]
    return saved(
        first,
        "GIF",
        save_all=True,
        append_images=more,
        duration=70,
        loop=2,
        comment=WORKFLOW.encode(),
    )


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def svg() -> bytes:
    """As SaveSVGNode writes it, with a comment in addition."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">
  <metadata>
    <![CDATA[
    {WORKFLOW}
    ]]>
  </metadata>
  <!-- {WORKFLOW.replace("--", "")} -->
  <title>ein Kreis, größer</title><circle r="4"/>
</svg>""".encode()


def safetensors(metadata: dict[str, str], content: bytes = bytes(range(48))) -> bytes:
    """Two tensors, as ComfyUI's SaveLatent writes them."""
    header = {
        "__metadata__": metadata,
        "latent_tensor": {"dtype": "F32", "shape": [2, 5], "data_offsets": [0, 40]},
        "latent_format_version_0": {"dtype": "F32", "shape": [2], "data_offsets": [40, 48]},
    }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + content


def scene() -> dict[str, Any]:
    """As SaveGLB writes it: the workflow is `extras` of the asset, and here of a node as well."""
    return {
        "asset": {"version": "2.0", "generator": "ComfyUI", "extras": {"prompt": WORKFLOW}},
        "scene": 0,
        "scenes": [{"nodes": [0], "extras": {"workflow": WORKFLOW}}],
        "nodes": [{"mesh": 0, "name": "größer"}],
        "accessors": [{"min": [-0.1, 1e-7, 0.30000000000000004]}],
    }


def glb(content: bytes = b"vertices") -> bytes:
    """A scene, its binary chunk, and one that nobody knows."""
    text = json.dumps(scene()).encode()
    text += b" " * (-len(text) % 4)
    chunks = [(b"JSON", text), (b"BIN\0", content), (b"WORK", WORKFLOW.encode().ljust(200))]
    body = b"".join(struct.pack("<I4s", len(data), kind) + data for kind, data in chunks)
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


def riff(form: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """RIFF of any form."""
    body = b"".join(
        struct.pack("<4sI", kind, len(data)) + data + b"\0" * (len(data) % 2)
        for kind, data in chunks
    )
    return struct.pack("<4sI", b"RIFF", 4 + len(body)) + form + body


def wav(samples: bytes = bytes(range(101))) -> bytes:
    """A list of tags before and after the samples."""
    tags = b"INFOICMT" + struct.pack("<I", len(WORKFLOW)) + WORKFLOW.encode()
    form = struct.pack("<HHIIHH", 1, 1, 8_000, 8_000, 1, 8)
    return riff(b"WAVE", (b"fmt ", form), (b"LIST", tags), (b"data", samples), (b"id3 ", tags))


def id3() -> bytes:
    """An ID3v2 tag."""
    size = len(WORKFLOW)
    return b"ID3\4\0\0" + bytes([0, 0, size >> 7, size & 0x7F]) + WORKFLOW.encode()


FLAC_SOUND = b"\xff\xf8" + bytes(range(200))
STREAMINFO = bytes(34)


def flac() -> bytes:
    """Comments and a cover before the sound, an ID3v1 tag behind it."""
    comment = b"\4\0\0\0LavfPROMPT=" + WORKFLOW.encode()
    blocks = [(0, STREAMINFO), (4, comment), (6, WORKFLOW.encode()), (3, bytes(18))]
    last = (0x81, bytes(64))
    head = b"".join(
        bytes([kind]) + len(data).to_bytes(3, "big") + data for kind, data in [*blocks, last]
    )
    return id3() + b"fLaC" + head + FLAC_SOUND + (b"TAG" + WORKFLOW.encode())[:128].ljust(128)


MP3_SOUND = b"".join(
    b"\xff\xfb\x90\x00".ljust(417, bytes([n])) + b"\xff\xfb\x92\x00".ljust(418, bytes([n]))
    for n in range(9)
)


def mp3() -> bytes:
    """Tags before and behind the frames."""
    return id3() + MP3_SOUND + b"APETAGEX" + WORKFLOW.encode()
