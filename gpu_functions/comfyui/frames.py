"""What a WebSocket frame of ComfyUI says about our prompt (facts/comfyui-protocol.md §2)."""

import struct
from dataclasses import dataclass
from typing import Literal, TypeGuard

from gpu_functions.comfyui.lenient import as_dict, as_list, parse
from gpu_functions.contract import Json

ImageType = Literal["image/jpeg", "image/png", "image/webp"]


@dataclass(frozen=True, slots=True)
class Cached:
    """These nodes need not run."""

    node_ids: list[str]


@dataclass(frozen=True, slots=True)
class NodeStarted:
    """A node runs now."""

    node_id: str


@dataclass(frozen=True, slots=True)
class NodeStepped:
    """A progress bar moved."""

    node_id: str
    step: float
    steps: float


@dataclass(frozen=True, slots=True)
class NodeOutput:
    """A node with ui output ended. `node_id` is that of the graph."""

    node_id: str
    ui: Json


@dataclass(frozen=True, slots=True)
class PreviewFrame:
    """A latent preview; `node_id` is empty in frames of the old kind."""

    node_id: str
    image_type: ImageType
    image: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """The last frame of a run, sent once history is written."""


@dataclass(frozen=True, slots=True)
class Alive:
    """A sign of life that says nothing we need."""


Frame = Cached | NodeStarted | NodeStepped | NodeOutput | PreviewFrame | Ended | Alive

_MOST_STEPS = 1 << 53
_STATE_HEAD = '{"type": "progress_state"'


def read_frame(frame: str | bytes, prompt_id: str) -> Frame | None:
    """Read a frame; None when it is not about this prompt."""
    if isinstance(frame, bytes):
        return _binary(frame, prompt_id)
    if frame.startswith(_STATE_HEAD):
        # It repeats every node each time: 162 MB in a run of 900 nodes. `executing` and `progress`
        # say the same, so it is not even parsed.
        return Alive() if prompt_id in frame[:200] else None
    if prompt_id not in frame:
        return None  # the queue's length, or another prompt's megabytes
    message = as_dict(parse(frame))
    data = as_dict(message.get("data"))
    if data.get("prompt_id") != prompt_id:
        return None
    return _event(str(message.get("type")), data)


def _event(kind: str, data: Json) -> Frame:
    node_id = _node_id(data.get("display_node") or data.get("node"))
    match kind:
        case "execution_cached":
            return Cached([str(node) for node in as_list(data.get("nodes"))])
        case "executing":
            return NodeStarted(node_id) if node_id else Ended()
        case "executed":
            return NodeOutput(node_id, as_dict(data.get("output")))
        case "progress":
            return _step(node_id, data.get("value"), data.get("max"))
        case _:
            return Alive()


def _node_id(value: object) -> str:
    """An id that can be sent on: nodes can send events of their own making."""
    return str(value or "")[:200].encode(errors="replace").decode()


def _step(node_id: str, value: object, of: object) -> Frame:
    if _is_step(value) and _is_step(of) and of:
        return NodeStepped(node_id, value, of)
    return Alive()


def _is_step(value: object) -> TypeGuard[int | float]:
    """A number that can be computed with: nodes send NaN, Infinity and integers of any length."""
    return isinstance(value, int | float) and abs(value) <= _MOST_STEPS


def _binary(frame: bytes, prompt_id: str) -> Frame | None:
    if len(frame) < 8:
        return None
    event, second = struct.unpack_from(">II", frame)
    match event:
        case 1:
            return _preview("", frame[8:])
        case 4:
            about = as_dict(parse(frame[8 : 8 + second]))
            if about.get("prompt_id") != prompt_id:
                return None
            node_id = _node_id(about.get("display_node_id") or about.get("node_id"))
            return _preview(node_id, frame[8 + second :])
        case _:
            return Alive()


def _preview(node_id: str, image: bytes) -> Frame:
    """The type by magic number: what the frame claims was written by a node."""
    if image.startswith(b"\xff\xd8\xff"):
        return PreviewFrame(node_id, "image/jpeg", image)
    if image.startswith(b"\x89PNG\r\n\x1a\n"):
        return PreviewFrame(node_id, "image/png", image)
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return PreviewFrame(node_id, "image/webp", image)
    return Alive()
