"""GIF without metadata: a walk over blocks (GIF89a). Comments and XMP go, loops and colours stay."""

from gpu_functions.media.files import CannotStripError, Sink, Source

SIGNATURES = (b"GIF87a", b"GIF89a")
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL, _COMMENT, _APPLICATION = 0xF9, 0xFE, 0xFF
_APPLICATIONS = (b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012")
_SCREEN_BYTES, _DESCRIPTOR_BYTES = 13, 10


def strip_gif(source: Source, sink: Sink) -> None:
    """Copy what makes the picture. Raises CannotStripError."""
    data = source.whole()
    try:
        at = _SCREEN_BYTES + _table_bytes(data[10])
        sink.write(data[:at])
        while data[at] != _TRAILER:
            end, kept = _block(data, at)
            if kept:
                sink.write(data[at:end])
            at = end
    except IndexError as error:
        raise CannotStripError("the file is broken: it ends before its parts do") from error
    sink.write(bytes([_TRAILER]))


def _block(data: bytes, at: int) -> "tuple[int, bool]":
    """Where a block ends, and whether it stays."""
    if data[at] == _IMAGE:
        # After the descriptor and its colours comes the size of the codes.
        start = at + _DESCRIPTOR_BYTES + _table_bytes(data[at + 9]) + 1
        return _blocks_end(data, start), True
    if data[at] != _EXTENSION:
        raise CannotStripError("the file is broken: a block does not begin where it should")
    end, label = _blocks_end(data, at + 2), data[at + 1]
    if label == _APPLICATION:
        return end, data[at + 3 : at + 14] in _APPLICATIONS
    if label not in (_CONTROL, _COMMENT):
        raise CannotStripError("it has a kind of block that shows text")
    return end, label == _CONTROL


def _blocks_end(data: bytes, at: int) -> int:
    while data[at]:
        at += 1 + data[at]
    return at + 1


def _table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
