"""What a real ComfyUI 0.8.0 answered, and how to compare it with what the engine answers."""

import json
import re
from pathlib import Path
from typing import Any, cast

from tests.comfy_images.engine.client import Frame

DATA = Path(__file__).parent / "data"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_FILE_NAME = re.compile(r"(_temp)?(_[a-z]{5})?_\d{5}_\.png$")


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
    data = line["meta"] if line["binary"] == 4 else {"image_type": line["image_type"]}
    return Frame(line["binary"], data)


def comparable(frames: list[Frame], *, after: str = "execution_start") -> list[Any]:
    """Kinds and data from the first `after` on, with ids, times and file numbers replaced."""
    kinds = [frame.kind for frame in frames]
    return [[frame.kind, timeless(frame.data)] for frame in frames[kinds.index(after) :]]


def timeless(value: Any) -> Any:
    """The same data without what differs from run to run."""
    if isinstance(value, dict):
        members = cast("dict[str, Any]", value)
        return {name: _timeless_member(name, member) for name, member in members.items()}
    if isinstance(value, list):
        return [timeless(item) for item in cast("list[Any]", value)]
    if isinstance(value, str):
        return _FILE_NAME.sub("_N_.png", _UUID.sub("UUID", value))
    return value


def _timeless_member(name: str, member: Any) -> Any:
    if name == "traceback":
        return "TRACEBACK" if member is not None else None
    if name == "timestamp" or name.endswith("_time"):
        return "TIME"
    return timeless(member)
