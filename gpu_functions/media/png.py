"""PNG and animated PNG without metadata: a walk over chunks (W3C PNG, third edition).

Kept are the chunks that make the picture and its colours; text, time and whatever is private
(ComfyUI's `comf`) go, and so does what follows the end.
"""

import struct
import zlib

from gpu_functions.media import exif
from gpu_functions.media.files import CannotStripError, Sink, Source

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = struct.Struct(">I4s")
_CRC = struct.Struct(">I")
_PICTURE = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT"}
_COLOURS = {
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"iCCP",
    b"cICP",
    b"sBIT",
    b"mDCV",
    b"mDCv",
    b"cLLI",
    b"cLLi",
}
_LOOK = {b"bKGD", b"pHYs", b"hIST", b"sPLT"}
_KEPT = _PICTURE | _COLOURS | _LOOK
_ANCILLARY = 0x20


def strip_png(source: Source, sink: Sink) -> None:
    """Copy what makes the picture. Raises CannotStripError."""
    sink.write(SIGNATURE)
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        length, found = _HEAD.unpack(source.read(at, _HEAD.size))
        if not kind and found != b"IHDR":
            raise CannotStripError("the file is broken: it does not begin with a header")
        kind, whole = found, _HEAD.size + length + _CRC.size
        source.check(at, whole)
        if kind == b"eXIf":
            _turn(source.read(at + _HEAD.size, min(length, exif.MAX_BYTES)), sink)
        elif kind in _KEPT:
            sink.copy(source, at, whole)
        elif not kind[0] & _ANCILLARY:
            raise CannotStripError(
                "it has a part without which it cannot be shown, and nobody knows"
            )
        at += whole


def _turn(block: bytes, sink: Sink) -> None:
    value = exif.orientation(block)
    if value != 1:
        body = b"eXIf" + exif.only_orientation(value)
        sink.write(_CRC.pack(len(body) - 4) + body + _CRC.pack(zlib.crc32(body)))
