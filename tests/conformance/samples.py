"""The eight sample workflows of facts/comfyui-protocol.md §7, and what a ComfyUI 0.8.0 made of each.

`data/samples.json` has a row for each file that comes out; `pixels` are SHA-256 of RGB bytes, one a
frame, and `sha256` those of what else is the same on every machine.
"""

import hashlib
import io
import json
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from PIL import Image, ImageSequence

from tests.running import Running

_HERE: Final = Path(__file__).parent
_ENGINE: Final = _HERE.parent / "comfy_images" / "engine" / "data"
_EXECUTOR: Final = _HERE.parent / "gpu_functions" / "data"
INPUTS: Final = {
    "photo.png": _ENGINE / "photo.png",
    "badge.png": _ENGINE / "badge.png",
    "tone.wav": _EXECUTOR / "tone.wav",
}
EXPECTED: Final[dict[str, list[dict[str, Any]]]] = json.loads(
    (_HERE / "data" / "samples.json").read_text()
)
NAMES: Final = tuple(EXPECTED)

Graph = dict[str, Any]


def graph_of(name: str) -> Graph:
    """As it was captured."""
    others: dict[str, Graph] = json.loads((_EXECUTOR / "workflows.json").read_text())
    return others[name] if name in others else json.loads((_ENGINE / f"{name}.json").read_text())


def fitting(graph: Graph, known: Container[str]) -> Graph:
    """The graph, with nodes that an older ComfyUI lacks replaced by ones that do the same."""
    fitted: Graph = {}
    for node_id, node in graph.items():
        match node["class_type"]:
            case "BatchImagesNode" if "BatchImagesNode" not in known:
                fitted |= _batched(node_id, list(node["inputs"].values()))
            case "ResizeImageMaskNode" if "ResizeImageMaskNode" not in known:
                fitted[node_id] = _scaled(node["inputs"])
            case _:
                fitted[node_id] = node
    return fitted


def _batched(node_id: str, links: list[Any]) -> Graph:
    """One ImageBatch for each but the first; the last has the id of what they replace."""
    chain: Graph = {}
    so_far = links[0]
    for number, link in enumerate(links[1:], start=2):
        name = node_id if number == len(links) else f"{node_id}.{number}"
        chain[name] = {"class_type": "ImageBatch", "inputs": {"image1": so_far, "image2": link}}
        so_far = [name, 0]
    return chain


def _scaled(inputs: Graph) -> Graph:
    assert inputs["resize_type"] == "scale longer dimension"
    longer = inputs["resize_type.longer_size"]
    size = {"width": longer, "height": longer * 384 // 512}  # photo.png has 512 x 384
    return {
        "class_type": "ImageScale",
        "inputs": {
            "image": inputs["input"],
            "upscale_method": inputs["scale_method"],
            "crop": "disabled",
            **size,
        },
    }


def upload_inputs(stack: Running) -> None:
    """Every file that a sample loads, under the name by which it asks for it."""
    for name, path in INPUTS.items():
        kind = "audio/wav" if path.suffix == ".wav" else "image/png"
        parts: list[tuple[str, tuple[str | None, str | bytes]]] = [
            ("content_type", (None, kind)),
            ("file_path", (None, name)),
            ("file", (name, path.read_bytes())),
        ]
        reply = httpx.post(f"{stack.api}/assets", files=parts, headers=stack.auth, timeout=30)
        assert reply.status_code in {200, 201}, reply.text


@dataclass(frozen=True)
class Delivered:
    """An output as a caller gets it: what the job says of it, and the bytes behind its URL."""

    said: dict[str, Any]
    content: bytes

    @property
    def name(self) -> str:
        return self.said["name"]

    def frames(self) -> list[Image.Image]:
        """Every picture, decoded; as RGB where it moves."""
        with Image.open(io.BytesIO(self.content)) as image:
            if getattr(image, "n_frames", 1) == 1:
                image.load()
                return [image.copy()]
            return [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]


def delivered(job: dict[str, Any]) -> list[Delivered]:
    """Fetch what a job made, by its public URLs and without a key; a size that is told is held."""
    found: list[Delivered] = []
    with httpx.Client(timeout=60) as client:
        for said in job["outputs"]:
            reply = client.get(said["url"])
            assert reply.status_code == 200, (said["name"], reply.text[:500])
            assert len(reply.content) == said["size_bytes"]
            assert reply.headers["content-type"] == said["content_type"]
            found.append(Delivered(said, reply.content))
    return found


def matched(found: list[Delivered], name: str) -> Iterator[tuple[Delivered, dict[str, Any]]]:
    """Each output with its row; there are as many of the one as of the other."""
    rows = sorted(EXPECTED[name], key=lambda row: (row["node"], row["extension"]))
    ours = sorted(
        found, key=lambda one: (one.said["node_id"], one.name.rpartition(".")[2], one.name)
    )
    yield from zip(ours, rows, strict=True)


def check_told(one: Delivered, row: dict[str, Any]) -> None:
    """What the job says of an output."""
    told = {key: one.said[key] for key in ("node_id", "type", "content_type")}
    assert told == {
        "node_id": row["node"],
        "type": row["type"],
        "content_type": row["content_type"],
    }
    assert one.name.endswith(f".{row['extension']}")
    assert one.name.startswith(row["prefix"])
    has_thumbnail = "thumbnail_url" in one.said
    assert has_thumbnail is (row["type"] in {"image", "video"}), one.name


def check_picture(one: Delivered, row: dict[str, Any]) -> list[Image.Image]:
    """Its size, mode, number of frames and metadata; returns its frames."""
    frames = one.frames()
    ours = ({frame.size for frame in frames}, frames[0].mode, len(frames))
    count = len(row["pixels"]) if "pixels" in row else 4
    assert ours == ({tuple(row["size"])}, row["mode"], count), (one.name, ours)
    if "metadata" in row:
        with Image.open(io.BytesIO(one.content)) as image:
            # A ComfyUI before 0.8 writes it into previews of masks as well.
            assert set(row["metadata"]) <= set(image.info), (one.name, image.info.keys())
    return frames


def sha256_of(picture: Image.Image) -> str:
    """Of its RGB bytes, as the captures have it."""
    return hashlib.sha256(picture.convert("RGB").tobytes()).hexdigest()


def difference(one: Image.Image, other: Image.Image) -> int:
    """How far two pictures are apart where they are furthest, of 255."""
    return int(np.abs(_levels(one) - _levels(other)).max())


def _levels(picture: Image.Image) -> Any:
    return np.asarray(picture.convert("RGB"), dtype=np.int16)
