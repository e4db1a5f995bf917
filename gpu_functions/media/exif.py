"""The one thing in EXIF that changes how a picture looks: which way up it is."""

import struct

_ORIENTATION = 0x0112
_SHORT = 3
_MAX_ENTRIES = 1_000
MAX_BYTES = 64 << 20
"""A workflow in it may be large; the orientation is looked for all the same."""


def orientation(exif: bytes) -> int:
    """1 to 8; 1, upright, where nothing legible says otherwise. An `Exif` before it is passed over."""
    tiff = exif[6:] if exif.startswith(b"Exif\0\0") else exif
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (at,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, at)
        for number in range(min(count, _MAX_ENTRIES)):
            entry = struct.unpack_from(order + "HHIH", tiff, at + 2 + 12 * number)
            if entry[:3] == (_ORIENTATION, _SHORT, 1):
                return entry[3] if 1 <= entry[3] <= 8 else 1
    except struct.error:
        pass
    return 1


def only_orientation(value: int) -> bytes:
    """A TIFF block that says nothing else."""
    return struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, _ORIENTATION, _SHORT, 1, value, 0, 0)
