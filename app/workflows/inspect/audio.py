"""FLAC, Ogg and MP3: texts in Vorbis comments and ID3 frames (RFC 9639 §8.6, RFC 7845 §5.2, ID3v2.4 §4.2.6)."""

from typing import Final

from app.workflows.inspect.tags import Walk, key_text, unsigned

_FLAC_COMMENT: Final = 4
_MAX_COMMENTS: Final = 1_000
_MAX_OGG_HEADER_BYTES: Final = 32 * 2**20
_ENCODINGS: Final = {0: "latin-1", 1: "utf-16", 2: "utf-16-be", 3: "utf-8"}


def walk_flac(data: memoryview) -> Walk:
    """The comments of a FLAC."""
    walk = Walk("FLAC")
    offset = 4
    last = False
    while not last and offset + 4 <= len(data) and walk.go_on():
        header = unsigned(data, offset, ">I") or 0
        last, kind, size = bool(header >> 31), (header >> 24) & 0x7F, header & 0xFFFFFF
        if kind == _FLAC_COMMENT:
            _vorbis_comments(walk, data[offset + 4 : offset + 4 + size])
        offset += 4 + size
    return walk


def walk_ogg(data: memoryview) -> Walk:
    """The comments of an Ogg Opus or Ogg Vorbis file: its second packet."""
    walk = Walk("Ogg")
    packets: list[bytearray] = [bytearray()]
    offset = 0
    while len(packets) < 3 and bytes(data[offset : offset + 4]) == b"OggS" and walk.go_on():
        count = data[offset + 26] if offset + 26 < len(data) else 0
        lacing = bytes(data[offset + 27 : offset + 27 + count])
        start = offset + 27 + count
        for size in lacing:
            packets[-1] += data[start : start + size]
            start += size
            if size < 255:
                packets.append(bytearray())
        if len(packets[-1]) > _MAX_OGG_HEADER_BYTES:
            walk.remark("its comments are too large")
            break
        offset = start
    if len(packets) > 1:
        body = memoryview(bytes(packets[1]))
        for magic in (b"OpusTags", b"\x03vorbis"):
            if bytes(body[: len(magic)]) == magic:
                _vorbis_comments(walk, body[len(magic) :])
    return walk


def walk_mp3(data: memoryview) -> Walk:
    """The `TXXX` and `COMM` frames of an MP3's ID3v2 tag."""
    walk = Walk("MP3")
    version = data[3] if len(data) > 3 else 0
    end = min(10 + _synchsafe(data, 6), len(data))
    offset = 10
    while offset + 10 <= end and data[offset] and walk.go_on():
        kind = bytes(data[offset : offset + 4])
        size = (
            _synchsafe(data, offset + 4) if version > 3 else unsigned(data, offset + 4, ">I") or 0
        )
        part = data[offset + 10 : min(offset + 10 + size, end)]
        body = walk.take(part, "ID3 frame") if kind in {b"TXXX", b"COMM"} else b""
        if kind == b"TXXX":
            _described_text(walk, body[:1], body[1:])
        elif kind == b"COMM":  # three letters of language stand before its description
            _described_text(walk, body[:1], body[4:], "comment")
        offset += 10 + size
    return walk


def _described_text(walk: Walk, encoding: bytes, body: bytes, name: str | None = None) -> None:
    text = body.decode(_ENCODINGS.get(encoding[0] if encoding else 0, "latin-1"), "replace")
    description, _, value = text.partition("\0")
    key = name or key_text(description.encode("latin-1", "replace"))
    walk.add(key, value.lstrip("\ufeff").rstrip("\0").encode("utf-8", "replace"), "ID3 frame")


def _vorbis_comments(walk: Walk, body: memoryview) -> None:
    offset = 4 + (unsigned(body, 0, "<I") or 0)
    count = unsigned(body, offset, "<I") or 0
    offset += 4
    for _ in range(min(count, _MAX_COMMENTS)):
        size = unsigned(body, offset, "<I")
        if size is None or offset + 4 + size > len(body):
            walk.cut_off()
            break
        key, _equals, value = walk.take(body[offset + 4 : offset + 4 + size], "comment").partition(
            b"="
        )
        walk.add(key_text(key), value, "comment")
        offset += 4 + size


def _synchsafe(data: memoryview, offset: int) -> int:
    """Four bytes of seven bits."""
    value = 0
    for byte in bytes(data[offset : offset + 4]):
        value = value << 7 | byte & 0x7F
    return value
