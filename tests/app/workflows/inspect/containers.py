"""Files of every kind that is understood, built byte by byte around texts."""

import json
import struct
import zlib
from collections.abc import Mapping
from typing import Any

GRAPH: dict[str, Any] = {"1": {"class_type": "SaveImage", "inputs": {"filename_prefix": "a"}}}
EDITOR: dict[str, Any] = {"nodes": [], "links": [], "version": 0.4}
GRAPH_TEXT = json.dumps(GRAPH).encode()
EDITOR_TEXT = json.dumps(EDITOR).encode()
_POINTER = b"@@@@"  # replaced once it is known


def chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: bytes) -> bytes:
    """A PNG with these chunks between its header and its end."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    picture = chunk(b"IDAT", zlib.compress(b"\0\0"))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + picture + chunk(b"IEND", b"")


def tiff(tags: Mapping[int, bytes], order: str = "<") -> bytes:
    """An EXIF block of ASCII tags; those from 0x9000 on stand in its inner directory."""
    outer = {tag: text for tag, text in tags.items() if tag < 0x9000}
    inner = {tag: text for tag, text in tags.items() if tag >= 0x9000}
    start = 8 + 2 + 12 * (len(outer) + bool(inner)) + 4
    first, texts = _directory(outer, start, order, extra=bool(inner))
    if inner:
        at = start + len(texts)
        first = first.replace(_POINTER, struct.pack(f"{order}I", at))
        second, more = _directory(inner, at + 2 + 12 * len(inner) + 4, order, extra=False)
        texts += second + more
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(f"{order}I", 8) + first + texts


def _directory(
    tags: Mapping[int, bytes], start: int, order: str, *, extra: bool
) -> tuple[bytes, bytes]:
    entries, texts = b"", b""
    for tag, text in sorted(tags.items()):
        entries += struct.pack(f"{order}HHII", tag, 2, len(text), start + len(texts))
        texts += text
    if extra:
        entries += struct.pack(f"{order}HHI", 0x8769, 4, 1) + _POINTER
    count = len(tags) + extra
    return struct.pack(f"{order}H", count) + entries + struct.pack(f"{order}I", 0), texts


def webp(block: bytes) -> bytes:
    """A WebP with this EXIF block."""
    body = b"WEBP" + b"VP8X" + struct.pack("<I", 10) + bytes(10)
    body += b"EXIF" + struct.pack("<I", len(block)) + block + bytes(len(block) & 1)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg(block: bytes) -> bytes:
    """A JPEG with this EXIF block."""
    body = b"Exif\0\0" + block
    return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(body) + 2) + body + b"\xff\xda\0\2\xff\xd9"


def box(kind: bytes, *parts: bytes) -> bytes:
    """One MP4 box."""
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


def mp4(text: bytes, *, item: bytes = b"\xa9cmt") -> bytes:
    """An MP4 with one tag as iTunes writes them."""
    tag = box(item, box(b"data", struct.pack(">II", 1, 0), text))
    handler = box(b"hdlr", bytes(8), b"mdir", bytes(13))
    meta = box(b"meta", bytes(4), handler, box(b"ilst", tag))
    return (
        box(b"ftyp", b"isom", bytes(4)) + box(b"mdat", bytes(64)) + box(b"moov", box(b"udta", meta))
    )


def mov(tags: Mapping[bytes, bytes]) -> bytes:
    """A MOV with tags by key, as QuickTime writes them."""
    keys = b"".join(box(b"mdta", key) for key in tags)
    items = b"".join(
        box(struct.pack(">I", number), box(b"data", struct.pack(">II", 1, 0), text))
        for number, text in enumerate(tags.values(), start=1)
    )
    handler = box(b"hdlr", bytes(8), b"mdta", bytes(13))
    listed = box(b"keys", bytes(4), struct.pack(">I", len(tags)), keys)
    return box(b"ftyp", b"qt  ") + box(b"moov", box(b"meta", handler, listed, box(b"ilst", items)))


def element(number: int, body: bytes, *, unknown_size: bool = False) -> bytes:
    """One Matroska element."""
    name = number.to_bytes((number.bit_length() + 7) // 8, "big")
    size = b"\x01" + (b"\xff" * 7 if unknown_size else len(body).to_bytes(7, "big"))
    return name + size + body


def webm(tags: Mapping[str, bytes], *, live: bool = False) -> bytes:
    """A WebM with tags behind a cluster; `live`: its sizes were unknown when it was written."""
    simple = b"".join(
        element(0x67C8, element(0x45A3, name.encode()) + element(0x4487, text))
        for name, text in tags.items()
    )
    cluster = element(
        0x1F43B675, element(0xE7, b"\0") + element(0xA3, bytes(40)), unknown_size=live
    )
    segment = cluster + element(0x1254C367, element(0x7373, simple))
    return element(0x1A45DFA3, b"") + element(0x18538067, segment, unknown_size=live)


def safetensors(metadata: Mapping[str, str]) -> bytes:
    """A file of no tensors."""
    header = json.dumps({"__metadata__": metadata}).encode()
    return struct.pack("<Q", len(header)) + header


def glb(extras: Mapping[str, str]) -> bytes:
    """A GLB of no meshes."""
    text = json.dumps({"asset": {"version": "2.0", "extras": extras}}).encode()
    return b"glTF" + struct.pack("<III", 2, 20 + len(text), len(text)) + b"JSON" + text
