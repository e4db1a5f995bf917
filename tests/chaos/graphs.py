"""Workflows that fail in one known way."""

from typing import Any

IMAGE: dict[str, Any] = {
    "class_type": "EmptyImage",
    "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 0},
}


def through(class_type: str, **inputs: Any) -> dict[str, Any]:
    """A picture that passes one node on its way into a file."""
    return {
        "1": IMAGE,
        "2": {"class_type": class_type, "inputs": {"image": ["1", 0], **inputs}},
        "3": {"class_type": "SaveImage", "inputs": {"images": ["2", 0], "filename_prefix": "x"}},
    }


DEADLY = through("BurstProbeCrash", how="kill")
"""Kills its ComfyUI."""
GREEDY = through("BurstProbeOutOfMemory")
"""Fails as a model too large for the GPU."""
BUGGY = through("BurstProbeError", kind="ValueError", message="boom")
"""A node with a bug."""


def pictures(count: int) -> dict[str, Any]:
    """A graph with so many output files."""
    saves = {
        str(10 + n): {
            "class_type": "SaveImage",
            "inputs": {"images": ["1", 0], "filename_prefix": f"p{n}"},
        }
        for n in range(count)
    }
    return {"1": IMAGE, **saves}
