"""The graphs that tests run: as small as they can be."""

from typing import Any

Graph = dict[str, Any]


def empty(color: int = 0, **inputs: Any) -> Any:
    return {
        "class_type": "EmptyImage",
        "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": color, **inputs},
    }


def save(source: str, prefix: str = "x", **inputs: Any) -> Any:
    return {
        "class_type": "SaveImage",
        "inputs": {"images": [source, 0], "filename_prefix": prefix, **inputs},
    }


def preview(source: str) -> Any:
    return {"class_type": "PreviewImage", "inputs": {"images": [source, 0]}}


def invert(source: str) -> Any:
    return {"class_type": "ImageInvert", "inputs": {"image": [source, 0]}}


def load(name: str) -> Any:
    return {"class_type": "LoadImage", "inputs": {"image": name}}


def probe(name: str, source: str | None = None, **inputs: Any) -> Any:
    """One of the pack's probes: Steps, Error, OutOfMemory, Hang, Crash."""
    linked = {} if source is None else {"image": [source, 0]}
    return {"class_type": f"BurstProbe{name}", "inputs": {**inputs, **linked}}


def saved_color(color: int, prefix: str = "x") -> Graph:
    return {"1": empty(color), "2": save("1", prefix)}


def steps(count: int, seconds: float, *, preview_images: bool = False) -> Graph:
    """A run of `count` interruptible steps."""
    return {
        "5": probe("Steps", steps=count, seconds=seconds, preview=preview_images),
        "2": save("5", "steps"),
    }


def node(class_type: str, **inputs: Any) -> Any:
    """Any node."""
    return {"class_type": class_type, "inputs": inputs}
