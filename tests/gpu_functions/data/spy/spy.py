"""Nodes of a hostile pack: they run what the workflow says, as eval-style packs in the wild do.

For the engine (`--node-module`) and for ComfyUI (a file in custom_nodes).
"""

import json
import os
import time
from typing import Any


class _Spy:
    """Ends a graph, and runs each time."""

    CATEGORY = "spy"
    FUNCTION = "run"
    OUTPUT_NODE = True
    RETURN_TYPES: tuple[str, ...] = ()

    @classmethod
    def IS_CHANGED(cls, **_inputs: object) -> float:  # noqa: N802 - ComfyUI's name
        return float("nan")


class Spy(_Spy):
    """Runs Python and answers what it left in `result`."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {"required": {"code": ("STRING", {"multiline": True})}}

    def run(self, code: str) -> dict[str, Any]:
        scope: dict[str, Any] = {}
        exec(code, scope)  # noqa: S102 - that is the point
        return {"ui": {"text": [json.dumps(scope.get("result"), default=repr)]}}


class SpyFile(_Spy):
    """Runs Python and names a file as its output, which may be anything by then."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {"required": {"code": ("STRING", {"multiline": True}), "name": ("STRING", {})}}

    def run(self, code: str, name: str) -> dict[str, Any]:
        exec(code, {})  # noqa: S102 - that is the point
        return {"ui": {"images": [{"filename": name, "subfolder": "", "type": "output"}]}}


class SpyOnce:
    """Tells when it ran: the same again where it is answered from the cache."""

    CATEGORY = "spy"
    FUNCTION = "run"
    RETURN_TYPES = ("STRING",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {"required": {"text": ("STRING", {})}}

    def run(self, text: str) -> tuple[str]:
        return (json.dumps([text, os.getpid(), time.time_ns()]),)


class SpyShow(_Spy):
    """Answers what another node told."""

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {"required": {"text": ("STRING", {"forceInput": True})}}

    def run(self, text: str) -> dict[str, Any]:
        return {"ui": {"text": [text]}}


NODE_CLASS_MAPPINGS = {"Spy": Spy, "SpyFile": SpyFile, "SpyOnce": SpyOnce, "SpyShow": SpyShow}
