"""WebP and WAV without metadata: walks over RIFF chunks (RFC 9649 for WebP)."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from gpu_functions.media import exif
from gpu_functions.media.files import CannotStripError, Sink, Source

_HEAD = struct.Struct("<4sI")
_FORM_BYTES = 12
_FRAME_BYTES = 16
_EXIF_FLAG, _XMP_FLAG = 0x08, 0x04
_WEBP = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
_WEBP_FRAME = {b"VP8 ", b"VP8L", b"ALPH"}
_WAV = {b"fmt ", b"fact", b"data"}


class _Chunk(NamedTuple):
    kind: bytes
    at: int
    """Of its content."""
    length: int


def strip_webp(source: Source, sink: Sink) -> None:
    """Copy what makes the picture, and say so in its flags. Raises CannotStripError."""
    chunks = list(_form(source))
    turned = _turned(source, chunks)
    kept = [chunk for chunk in chunks if chunk.kind in _WEBP]
    for frame in kept:
        if frame.kind == b"ANMF":
            _check_frame(source, frame)
    tail = _chunk(b"EXIF", turned) if turned else b""
    _begin(sink, b"WEBP", kept, len(tail))
    for chunk in kept:
        if chunk.kind == b"VP8X":
            flags = bytearray(source.read(chunk.at, chunk.length))
            flags[:1] = bytes([flags[0] & ~_EXIF_FLAG & ~_XMP_FLAG | (_EXIF_FLAG if tail else 0)])
            sink.write(_chunk(chunk.kind, bytes(flags)))
        else:
            _copy(source, sink, chunk)
    sink.write(tail)


def strip_wav(source: Source, sink: Sink) -> None:
    """Copy format and samples. Raises CannotStripError."""
    kept = [chunk for chunk in _form(source) if chunk.kind in _WAV]
    _begin(sink, b"WAVE", kept, 0)
    for chunk in kept:
        _copy(source, sink, chunk)


def _form(source: Source) -> Iterator[_Chunk]:
    _, length = _HEAD.unpack(source.read(0, _HEAD.size))
    source.check(_HEAD.size, length)
    return _chunks(source, _FORM_BYTES, _HEAD.size + length)


def _chunks(source: Source, at: int, end: int) -> Iterator[_Chunk]:
    while at < end:
        kind, length = _HEAD.unpack(source.read(at, _HEAD.size))
        chunk = _Chunk(kind, at + _HEAD.size, length)
        if chunk.at + length > end:
            raise CannotStripError("the file is broken: it ends before its parts do")
        yield chunk
        at = chunk.at + length + length % 2


def _turned(source: Source, chunks: "list[_Chunk]") -> bytes:
    for chunk in chunks:
        if chunk.kind == b"EXIF":
            value = exif.orientation(source.read(chunk.at, min(chunk.length, exif.MAX_BYTES)))
            return exif.only_orientation(value) if value != 1 else b""
    return b""


def _check_frame(source: Source, frame: _Chunk) -> None:
    parts = _chunks(source, frame.at + _FRAME_BYTES, frame.at + frame.length)
    if any(part.kind not in _WEBP_FRAME for part in parts):
        raise CannotStripError("a frame of it holds more than a picture")


def _begin(sink: Sink, form: bytes, kept: "list[_Chunk]", more: int) -> None:
    content = sum(_HEAD.size + chunk.length + chunk.length % 2 for chunk in kept)
    if not kept:
        raise CannotStripError("the file is broken: there is nothing in it")
    sink.write(_HEAD.pack(b"RIFF", len(form) + content + more) + form)


def _copy(source: Source, sink: Sink, chunk: _Chunk) -> None:
    sink.write(_HEAD.pack(chunk.kind, chunk.length))
    sink.copy(source, chunk.at, chunk.length)
    sink.write(b"\0" * (chunk.length % 2))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return _HEAD.pack(kind, len(content)) + content + b"\0" * (len(content) % 2)
