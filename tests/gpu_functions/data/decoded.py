"""Run under ComfyUI's Python: what PyAV finds in each file it is given, as one JSON list."""

import hashlib
import importlib
import json
import sys
from typing import Any

av: Any = importlib.import_module("av")  # only ComfyUI's Python has it


def decoded(path: str) -> dict[str, Any]:
    """All tags, and of each stream its kind, its coded packets and what they decode to."""
    with av.open(path) as container:
        tags: list[dict[str, str]] = [container.metadata]
        tags += [stream.metadata for stream in container.streams]
        return {
            "format": container.format.name,
            "tags": {key.lower(): value for each in tags for key, value in each.items()},
            "streams": [stream_of(path, number) for number in range(len(container.streams))],
        }


def stream_of(path: str, number: int) -> dict[str, Any]:
    """One stream, read twice: as it is coded and as it is shown."""
    packets = hashlib.sha256()
    with av.open(path) as container:
        stream = container.streams[number]
        kind, rate = stream.type, str(getattr(stream, "average_rate", None))
        for packet in container.demux(stream):
            packets.update(bytes(packet))
    with av.open(path) as container:
        frames = [
            [frame.time, hashlib.sha256(frame.to_ndarray().tobytes()).hexdigest()]
            for frame in container.decode(container.streams[number])
        ]
    return {"kind": kind, "rate": rate, "packets": packets.hexdigest(), "frames": frames}


sys.stdout.write(json.dumps([decoded(path) for path in sys.argv[1:]]))
