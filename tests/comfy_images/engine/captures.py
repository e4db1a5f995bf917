"""What a real ComfyUI 0.8.0 answered, and how to compare it with what the engine answers."""

import json
import re
from pathlib import Path
from typing import Any, cast

from tests.comfy_images.engine.client import Frame

DATA = Path(__file__).parent / "data"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FILE_NAME = re.compile(r"(_temp)?(_[a-z]{5})?_\d{5}_\.(png|webp)$")


def load(name: str) -> Any:
    return json.loads((DATA / name).read_text())


def load_lines(name: str) -> list[Any]:
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def captured_frames(name: str) -> list[Frame]:
    """The frames of one capture."""
    return [_captured(line) for line in load_lines(f"ws-{name}.jsonl")]


def _captured(line: Any) -> Frame:
    if "text" in line:
        return Frame(line["text"]["type"], line["text"]["data"])
    match line["binary"]:
        case 4:
            return Frame(4, line["meta"])
        case 3:
            return Frame(3, {"node_id": line["node_id"], "text": line["str"]})
        case kind:
            return Frame(kind, {"image_type": line["image_type"]})


def comparable(frames: list[Frame], *, after: str = "execution_start") -> list[Any]:
    """Kinds and data from the first `after` on, with ids, times and file numbers replaced."""
    kinds = [frame.kind for frame in frames]
    return [[frame.kind, timeless(frame.data)] for frame in frames[kinds.index(after) :]]


def by_node(frames: list[Frame], *, after: str = "execution_start") -> dict[Any, list[Any]]:
    """The same, told apart by node: what holds whichever of several outputs a server runs first.

    Of `progress_state`, which repeats all nodes, only those that changed. None has what is about the
    whole prompt.
    """
    found: dict[Any, list[Any]] = {}
    board: dict[str, Any] = {}
    running: Any = None
    for kind, data in comparable(frames, after=after):
        if kind == "progress_state":
            for node_id, state in data["nodes"].items():
                if board.get(node_id) != state:
                    found.setdefault(node_id, []).append([kind, state])
            board = data["nodes"]
            continue
        running = data.get("node", running) if kind in {"executing", "executed"} else running
        about = data.get("node", data.get("node_id")) if isinstance(kind, str) else running
        found.setdefault(about, []).append([kind, data])
    return found


def outputs_as_captured(prompt: dict[str, Any], outputs: list[str]) -> dict[str, Any]:
    """The prompt with its output nodes first, in an order that ComfyUI had chosen at random."""
    return {node_id: prompt[node_id] for node_id in outputs} | prompt


def timeless(value: Any) -> Any:
    """The same data without what differs from run to run."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {name: _timeless_member(name, member) for name, member in members.items()}
    if isinstance(value, list):
        return [timeless(item) for item in cast("list[Any]", value)]
    if isinstance(value, str):
        return _FILE_NAME.sub(r"_N_.\3", _UUID.sub("UUID", value))
    return value


def _timeless_member(name: str, member: Any) -> Any:
    if name == "traceback":
        return "TRACEBACK" if member is not None else None
    if name in {"executed", "current_outputs"}:
        return sorted(member)  # ComfyUI writes sets
    if name == "timestamp" or name.endswith("_time"):
        return "TIME"
    return timeless(member)


def shape(value: Any) -> Any:
    """Keys alone, whatever the values."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in cast("dict[str, Any]", value).items()}
    return type(value).__name__
