"""Video and Ogg without metadata: PyAV copies the coded streams into a new container, undecoded.

Only demuxers that read nothing but the file they are given (facts/security.md §3.4). What is neither
picture, sound nor subtitle stays behind, and so do cover pictures, which may hold a workflow themselves.
"""

import hashlib
import importlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, cast

from gpu_functions.media.files import CannotStripError, PositionedFile, Sink, Source

EBML = b"\x1aE\xdf\xa3"
OGG = b"OggS"
FTYP = b"ftyp"
_STREAMS = ("video", "audio", "subtitle")
_OPTIONS = {"fflags": "+bitexact"}
"""Without the name of the muxer, and the same bytes every time."""


def strip_container(source: Source, sink: Sink) -> None:
    """Copy streams. Raises CannotStripError."""
    try:
        av: Any = importlib.import_module("av")
    except ImportError as error:
        raise CannotStripError(
            "it takes PyAV, which this Python does not have: install `av` beside it, or name "
            "another by COMFYUI_PYTHON"
        ) from error
    demuxer, muxer = _formats(source.start(4_096))
    try:
        with (
            _opened(av, source, demuxer) as given,
            av.open(_file(sink), "w", format=muxer, options=_OPTIONS) as made,
        ):
            copied = _copy(given, made)
        with _opened(av, sink, demuxer) as made:
            if _digests(made.demux(), made.streams) != copied:
                raise CannotStripError("the copy of its streams is not what they were")
    except (av.FFmpegError, ValueError) as error:
        raise CannotStripError(f"its streams cannot be copied ({type(error).__name__})") from error


def _opened(av: Any, file: "Source | Sink", demuxer: str) -> Any:
    return av.open(_file(file), format=demuxer)


def _file(file: "Source | Sink") -> BinaryIO:
    return cast("BinaryIO", PositionedFile(file.descriptor))


def _formats(start: bytes) -> "tuple[str, str]":
    if start.startswith(EBML):
        return "matroska", "webm" if b"webm" in start[:64] else "matroska"
    if start.startswith(OGG):
        return "ogg", "opus" if b"OpusHead" in start[:256] else "ogg"
    brand = start[8:12]
    muxer = {b"qt  ": "mov", b"M4A ": "ipod", b"M4V ": "ipod"}.get(brand, "mp4")
    return "mov", muxer


def _copy(given: Any, made: Any) -> "list[str]":
    """Copy every stream that stays; a digest of each."""
    copies: dict[Any, Any] = {}
    for stream in given.streams:
        if stream.type in _STREAMS and not stream.disposition.value & _attached_picture():
            copies[stream] = made.add_stream_from_template(stream, opaque=True)
            copies[stream].metadata.clear()
    if not copies:
        raise CannotStripError("there is no stream in it")
    made.metadata.clear()

    def copied() -> "Iterator[Any]":
        for packet in given.demux(list(copies)):
            yield packet
            # The last of each stream is empty. Others may have no dts: B-frames of Matroska.
            if packet.size:
                packet.stream = copies[packet.stream]
                made.mux(packet)

    return _digests(copied(), list(copies))


def _digests(packets: "Iterator[Any]", streams: "Iterable[Any]") -> "list[str]":
    """Of the coded content of each stream, in their order."""
    hashers = {stream: hashlib.sha256() for stream in streams}
    for packet in packets:
        if packet.size:
            hashers[packet.stream].update(packet)
    return [hasher.hexdigest() for hasher in hashers.values()]


def _attached_picture() -> int:
    av_stream: Any = importlib.import_module("av.stream")
    return int(av_stream.Disposition.attached_pic.value)
