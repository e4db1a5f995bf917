"""Makes thumbnails of files that strangers made: run as `python -I decode.py FD`, bounded in every way.

A script of its own: it runs under ComfyUI's interpreter (which has Pillow, and PyAV for video) and
imports nothing of ours. Files arrive as descriptors over a Unix socket; what goes back is a small
WebP or nothing. Memory, time and files written are limited by the kernel, so the worst a hostile
picture can do is end this process (facts/security.md §3.4).
"""

import importlib
import io
import json
import os
import resource
import signal
import socket
import struct
import sys
import warnings
from collections.abc import Iterator
from typing import Any, BinaryIO

MAX_MEMORY_BYTES = 2 << 30
MAX_PIXELS = 80_000_000
SECONDS_PER_FILE = 10
SIDE = 512
QUALITY = 80
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP", "TIFF")
DEMUXERS = ("mov", "matroska")
_LENGTH = struct.Struct("!I")
_HEADER_BYTES = 1_024


class Positioned(io.RawIOBase):
    """A file read at a position of its own: the descriptor's is shared with whoever uploads it."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; nothing is read."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read at the position."""
        count = os.preadv(self._descriptor, [buffer], self._at)
        self._at += count
        return count


def limit() -> None:
    """Bound this process for good."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))


def main() -> None:
    """Serve one file after another until the other side hangs up."""
    limit()
    warnings.simplefilter("error")  # Pillow only warns of a decompression bomb
    channel = socket.socket(fileno=int(sys.argv[1]))
    while True:
        header, descriptors, _, _ = socket.recv_fds(channel, _HEADER_BYTES, 1)
        if not header or not descriptors:
            return
        try:
            signal.alarm(SECONDS_PER_FILE)  # its default action ends the process
            reply = thumbnail(descriptors[0], json.loads(header)["kind"])
        except Exception:  # noqa: BLE001 - a stranger's file may raise anything
            reply = b""
        finally:
            signal.alarm(0)
            os.close(descriptors[0])
        channel.sendall(_LENGTH.pack(len(reply)) + reply)


def thumbnail(descriptor: int, kind: str) -> bytes:
    """A WebP of at most SIDE pixels a side, without any metadata."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    with io.BufferedReader(Positioned(descriptor)) as file:
        image = _frame(file) if kind == "video" else Image.open(file, formats=FORMATS)
        image.draft("RGB", (SIDE, SIDE))  # lets JPEG decode at a fraction of its size
        image.thumbnail((SIDE, SIDE), reducing_gap=2.0)
        shown = image.convert("RGBA" if "A" in image.getbands() else "RGB")
        out = io.BytesIO()
        shown.save(out, "WEBP", quality=QUALITY, method=2)
    return out.getvalue()


def _frame(file: BinaryIO) -> Any:
    """The first picture of a video."""
    av = importlib.import_module("av")  # only ComfyUI's interpreter has it
    for demuxer in DEMUXERS:
        file.seek(0)
        for frame in _frames(av, file, demuxer):
            return frame.to_image()
    raise ValueError("no picture")


def _frames(av: Any, file: BinaryIO, demuxer: str) -> Iterator[Any]:
    try:
        with av.open(file, format=demuxer) as container:
            yield from container.decode(video=0)
    except av.FFmpegError:
        return


if __name__ == "__main__":
    main()
