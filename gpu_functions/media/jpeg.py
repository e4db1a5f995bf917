"""JPEG without metadata: a walk over segments (ITU-T T.81, JFIF, Adobe's APP14, ICC's APP2)."""

import re
import struct

from gpu_functions.media import exif
from gpu_functions.media.files import CannotStripError, Sink, Source

SIGNATURE = b"\xff\xd8\xff"
_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
"""A marker that ends coded data: neither a stuffed byte nor a restart."""
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_APP0, _APP1, _APP2, _APP14 = 0xE0, 0xE1, 0xE2, 0xEE
# Frames, Huffman and arithmetic tables, scans, quantisation, lines, restarts.
_PICTURE = {*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD} - {0xC8}
_JFIF_BYTES = 14


def strip_jpeg(source: Source, sink: Sink) -> None:
    """Copy what makes the picture. Raises CannotStripError."""
    data = source.whole()
    sink.write(data[:2])
    at = 2
    while True:
        found = _MARKER.match(data, at)
        if found is None:
            raise CannotStripError("the file is broken: a segment does not begin where it should")
        marker, at = found[1][0], found.end()
        if marker == _EOI:
            sink.write(b"\xff\xd9")
            return
        end = at + _length(data, at)
        sink.write(_kept(marker, data[at + 2 : end]))
        at = end
        if marker == _SOS:
            coded = _MARKER.search(data, at)
            if coded is None:
                raise CannotStripError("the file is broken: its picture does not end")
            sink.write(data[at : coded.start()])
            at = coded.start()


def _length(data: bytes, at: int) -> int:
    length = int.from_bytes(data[at : at + 2], "big")
    if length < 2 or at + length > len(data):
        raise CannotStripError("the file is broken: it ends before its parts do")
    return length


def _kept(marker: int, body: bytes) -> bytes:
    """The segment as it stays, or nothing."""
    if marker == _APP0 and body.startswith(b"JFIF\0") and len(body) >= _JFIF_BYTES:
        body = body[: _JFIF_BYTES - 2] + b"\0\0"  # without its thumbnail
    elif marker == _APP1 and body.startswith(b"Exif\0\0"):
        value = exif.orientation(body)
        if value == 1:
            return b""
        body = b"Exif\0\0" + exif.only_orientation(value)
    elif not (
        marker in _PICTURE
        or (marker == _APP2 and body.startswith(b"ICC_PROFILE\0"))
        or (marker == _APP14 and body.startswith(b"Adobe"))
    ):
        return b""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
