"""Thumbnails: small WebPs of pictures, and of the first picture of a video."""

import importlib
import io
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from gpu_functions.media.files import PositionedFile

MAX_PIXELS = 80_000_000
SIDE = 512
QUALITY = 80
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP", "TIFF")
DEMUXERS = ("mov", "matroska")


def thumbnail(descriptor: int, kind: str) -> bytes:
    """A WebP of at most SIDE pixels a side, without any metadata. Raises anything."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    with io.BufferedReader(PositionedFile(descriptor)) as file:
        if kind == "video":
            image = _frame(cast("BinaryIO", file))
        else:
            image = Image.open(file, formats=FORMATS)
        image.draft("RGB", (SIDE, SIDE))  # lets JPEG decode at a fraction of its size
        image.thumbnail((SIDE, SIDE), reducing_gap=2.0)
        shown = image.convert("RGBA" if "A" in image.getbands() else "RGB")
        # What Pillow knows of the file may be written by it again: colours alone stay.
        shown.info = {key: shown.info[key] for key in ("icc_profile",) if key in shown.info}
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
