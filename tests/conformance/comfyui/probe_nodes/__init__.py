"""Nodes that use what ComfyUI's executor offers beyond plain functions, for it and for the engine.

ComfyUI loads this folder as custom nodes; the engine by `--node-module`. They stand in for the
probes of the captures: Text, Blocker, Async, Expand and List. Switch and Together ask for what those
leave out: lazy inputs and whole lists.
"""

import asyncio
import importlib
import sys
from typing import Any, ClassVar, Final

import numpy as np

_UNDER_COMFYUI: Final = "comfy_execution.graph" in sys.modules


def _graphs() -> tuple[Any, Any]:
    """(blocker, builder of subgraphs) of the host."""
    if _UNDER_COMFYUI:
        utils = importlib.import_module("comfy_execution.graph_utils")
        return utils.ExecutionBlocker, utils.GraphBuilder
    subgraph = importlib.import_module("comfy_images.engine.subgraph")
    return subgraph.ExecutionBlocker, subgraph.SubgraphBuilder


_ExecutionBlocker, _SubgraphBuilder = _graphs()


def _grey(level: float) -> Any:
    """A small even picture as the host's IMAGE."""
    pixels = np.full((1, 16, 16, 3), level, dtype=np.float32)
    return sys.modules["torch"].from_numpy(pixels) if _UNDER_COMFYUI else pixels


def _say(text: str, node_id: str) -> None:
    """Show a text at a node while it runs."""
    if _UNDER_COMFYUI:
        server = sys.modules["server"].PromptServer.instance
        server.send_progress_text(text, node_id, server.client_id)
    else:
        importlib.import_module("comfy_images.engine.host").current().progress_text(text, node_id)


class _Probe:
    CATEGORY = "conformance"
    FUNCTION = "run"
    RETURN_TYPES: tuple[str, ...] = ("IMAGE",)
    inputs: ClassVar[dict[str, Any]] = {}

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {"required": cls.inputs}


class ProbeText(_Probe):
    """An output node without a file; `what` picks what it shows."""

    RETURN_TYPES = ("STRING",)
    OUTPUT_NODE = True

    inputs: ClassVar[dict[str, Any]] = {
        "text": ("STRING", {}),
        "what": (["text", "progress", "nothing"],),
    }

    @classmethod
    def IS_CHANGED(cls, **_inputs: object) -> float:  # noqa: N802 - ComfyUI's name
        return float("nan")

    def run(self, text: str, what: str) -> dict[str, Any]:
        if what == "progress":
            _say(f"working: {text}", "77")
        return {"ui": {} if what == "nothing" else {"text": [text]}, "result": (text,)}


class ProbeBlocker(_Probe):
    """Lets nothing that depends on it run; says why if there is a message."""

    inputs: ClassVar[dict[str, Any]] = {"message": ("STRING", {"default": ""})}

    def run(self, message: str) -> tuple[Any]:
        return (_ExecutionBlocker(message or None),)


class ProbeAsync(_Probe):
    """Waits without holding anybody up."""

    inputs: ClassVar[dict[str, Any]] = {
        "seconds": ("FLOAT", {"default": 1.0}),
        "level": ("FLOAT", {}),
    }

    async def run(self, seconds: float, level: float) -> tuple[Any]:
        await asyncio.sleep(seconds)
        return (_grey(level),)


class ProbeExpand(_Probe):
    """Becomes an EmptyImage, and a preview of it; or, on demand, a node that fails."""

    inputs: ClassVar[dict[str, Any]] = {"n": ("INT", {"default": 2}), "fails": ("BOOLEAN", {})}

    def run(self, n: int, fails: bool) -> dict[str, Any]:  # noqa: FBT001 - an input of a node
        graph = _SubgraphBuilder()
        inner = graph.node("EmptyImage", width=16 * n, height=16, batch_size=1, color=255)
        if fails:
            inner = graph.node(
                "BurstProbeError", kind="ValueError", message="inside", image=inner.out(0)
            )
        graph.node("PreviewImage", images=inner.out(0))
        return {"result": (inner.out(0),), "expand": graph.finalize()}


class ProbeList(_Probe):
    """n pictures as a list, each of which runs what follows once."""

    OUTPUT_IS_LIST = (True,)

    inputs: ClassVar[dict[str, Any]] = {"n": ("INT", {"default": 3})}

    def run(self, n: int) -> tuple[list[Any]]:
        return ([_grey(level / n) for level in range(n)],)


class ProbeTogether(_Probe):
    """Takes a list as a whole; shows its length."""

    RETURN_TYPES = ("INT",)
    INPUT_IS_LIST = True
    OUTPUT_NODE = True

    inputs: ClassVar[dict[str, Any]] = {"images": ("IMAGE",), "factor": ("INT", {"default": 1})}

    def run(self, images: list[Any], factor: list[int]) -> dict[str, Any]:
        count = len(images) * factor[0]
        return {"ui": {"text": [str(count)]}, "result": (count,)}


class ProbeSwitch(_Probe):
    """Asks for the one of its two pictures that it needs."""

    inputs: ClassVar[dict[str, Any]] = {
        "first": ("BOOLEAN", {}),
        "a": ("IMAGE", {"lazy": True}),
        "b": ("IMAGE", {"lazy": True}),
    }

    def check_lazy_status(self, first: bool, a: Any, b: Any) -> list[str]:  # noqa: FBT001
        name, value = ("a", a) if first else ("b", b)
        return [name] if value is None else []

    def run(self, first: bool, a: Any, b: Any) -> tuple[Any]:  # noqa: FBT001
        return (a if first else b,)


_PROBES: Final = (
    ProbeText,
    ProbeBlocker,
    ProbeAsync,
    ProbeExpand,
    ProbeList,
    ProbeTogether,
    ProbeSwitch,
)
NODE_CLASS_MAPPINGS: Final = {probe.__name__: probe for probe in _PROBES}
