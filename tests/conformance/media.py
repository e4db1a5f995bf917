"""What is in a film or a sound, as JSON: run by ComfyUI's interpreter, which has PyAV; ours has not.

`python media.py FILE` prints one object a stream. Samples are hashed as PCM of 16 bits, which is what
FLAC holds, and of the first channel: ComfyUI made two equal ones of a mono sound until 0.8. Of a film the
first two pictures are given whole, as RGB.
"""

import base64
import hashlib
import importlib
import json
import sys
from typing import Any

SHOWN = 2


def film(container: Any, stream: Any) -> dict[str, Any]:
    pictures = list(container.decode(stream))
    shown = [picture.to_ndarray(format="rgb24").tobytes() for picture in pictures[:SHOWN]]
    return {
        "codec": stream.codec_context.name,
        "size": [pictures[0].width, pictures[0].height],
        "frames": len(pictures),
        "rate": float(stream.average_rate),
        "pictures": [base64.b64encode(pixels).decode() for pixels in shown],
    }


def sound(av: Any, container: Any, stream: Any) -> dict[str, Any]:
    context = stream.codec_context
    resampler = av.AudioResampler("s16p", context.layout, context.sample_rate)
    digest, samples = hashlib.sha256(), 0
    for frame in [*container.decode(stream), None]:
        for part in resampler.resample(frame):
            samples += part.samples
            digest.update(part.to_ndarray()[0].tobytes())
    return {
        "codec": context.name,
        "rate": context.sample_rate,
        "samples": samples,
        "sha256": digest.hexdigest(),
    }


def look(path: str) -> dict[str, Any]:
    av = importlib.import_module("av")
    said: dict[str, Any] = {}
    for kind in ("video", "audio"):
        with av.open(path) as container:  # anew for each: decoding one skips the other
            for stream in getattr(container.streams, kind):
                said[kind] = (
                    film(container, stream) if kind == "video" else sound(av, container, stream)
                )
            said["tags"] = sorted(tag.lower() for tag in container.metadata)
    return said


if __name__ == "__main__":
    sys.stdout.write(json.dumps(look(sys.argv[1])))
