"""Run under ComfyUI's Python: a film with sound, or sound alone, and tags: `muxed.py FILE FORMAT TEXT`."""

import importlib
import sys
from typing import Any

import numpy as np

av: Any = importlib.import_module("av")  # only ComfyUI's Python has it


def film(container: Any, stream: Any) -> None:
    """A second of pictures; B-frames, so that their order in the file is another than in time."""
    for number in range(30):
        pixels = np.roll(np.arange(64 * 48 * 3, dtype=np.uint8).reshape(48, 64, 3), number, 1)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
    container.mux(stream.encode(None))


def sound(container: Any, stream: Any) -> None:
    """A second of noise that ends within a packet."""
    samples = np.random.default_rng(1).uniform(-0.2, 0.2, (2, 50_001)).astype(np.float32)
    frame: Any = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
    frame.sample_rate, frame.pts = 48_000, 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def main(path: str, form: str, text: str) -> None:
    """Write it."""
    with av.open(path, "w", format=form) as container:
        container.metadata["prompt"] = container.metadata["comment"] = text
        codec = "libopus" if form in ("ogg", "matroska") else "aac"
        streams = [(sound, container.add_stream(codec, rate=48_000, layout="stereo"))]
        if form in ("mov", "matroska", "mp4"):
            shown: Any = container.add_stream("libx264", rate=25, options={"bf": "2"})
            shown.width, shown.height, shown.pix_fmt = 64, 48, "yuv420p"
            streams.append((film, shown))
        for fill, stream in streams:
            stream.metadata["title"] = text
            fill(container, stream)


main(*sys.argv[1:])
