"""FLAC and MP3 without tags: the coded sound is copied as it is (RFC 9639, ISO 11172-3, ID3v2)."""

from gpu_functions.media.files import CannotStripError, Sink, Source

FLAC = b"fLaC"
ID3 = b"ID3"
_LAST = 0x80
_STREAMINFO, _SEEKTABLE = 0, 3
_MAX_BLOCKS = 1_000
_ID3_BYTES = 10
_TAG_BYTES = 128
_KBIT_V1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBIT_V2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_RATES = (44_100, 48_000, 32_000)
_DIVISOR = {3: 1, 2: 2, 0: 4}
"""Of the sample rate, by the version's bits: MPEG 1, 2 and 2.5."""


def skip_id3(source: Source) -> int:
    """Where the sound begins, behind any ID3v2 tags. Raises CannotStripError."""
    at = 0
    while source.size - at >= _ID3_BYTES:
        head = source.read(at, _ID3_BYTES)
        if not head.startswith(ID3):
            break
        length = 0
        for byte in head[6:]:
            length = length << 7 | byte & 0x7F
        at += _ID3_BYTES + length + (_ID3_BYTES if head[5] & 0x10 else 0)
        source.check(0, at)
    return at


def strip_flac(source: Source, sink: Sink) -> None:
    """Keep the stream's description, its seek table and its frames. Raises CannotStripError."""
    at = skip_id3(source) + len(FLAC)
    kept: list[tuple[int, bytes]] = []
    for _ in range(_MAX_BLOCKS):
        head = source.read(at, 4)
        kind, length = head[0] & ~_LAST, int.from_bytes(head[1:], "big")
        if kind in (_STREAMINFO, _SEEKTABLE):
            kept.append((kind, head[1:] + source.read(at + 4, length)))
        at += 4 + length
        if head[0] & _LAST:
            break
    if not kept or kept[0][0] != _STREAMINFO:
        raise CannotStripError("the file is broken: it does not describe its sound")
    end = source.size
    if end - at >= _TAG_BYTES and source.read(end - _TAG_BYTES, 3) == b"TAG":
        end -= _TAG_BYTES
    if end > at and (int.from_bytes(source.read(at, 2), "big") & 0xFFFE) != 0xFFF8:
        raise CannotStripError("the file is broken: its sound does not begin where it should")
    sink.write(FLAC)
    for number, (kind, block) in enumerate(kept, 1):
        sink.write(bytes([kind | (_LAST if number == len(kept) else 0)]) + block)
    sink.copy(source, at, end - at)


def strip_mp3(source: Source, sink: Sink) -> None:
    """Copy its frames, which must follow one another; tags before and after go. Raises CannotStripError."""
    start = at = skip_id3(source)
    while source.size - at >= 4:
        length = _frame_bytes(source.read(at, 4))
        if length is None:
            break
        source.check(at, length)
        at += length
    left = source.read(at, min(8, source.size - at))
    if at == start or (left and not left.startswith((b"TAG", b"APETAGEX", b"LYRICSBE"))):
        raise CannotStripError("the file is broken: its frames do not follow one another")
    sink.copy(source, start, at - start)


def _frame_bytes(head: bytes) -> "int | None":
    """The length of a layer III frame; None where there is none."""
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    kbit, rate = head[2] >> 4, head[2] >> 2 & 3
    if head[0] != 0xFF or head[1] < 0xE0 or version == 1 or layer != 1:
        return None
    if kbit in (0, 15) or rate == 3:
        return None
    is_first = version == 3
    bits = (_KBIT_V1 if is_first else _KBIT_V2)[kbit] * 1_000
    padding = head[2] >> 1 & 1
    return (144 if is_first else 72) * bits // (_RATES[rate] // _DIVISOR[version]) + padding
