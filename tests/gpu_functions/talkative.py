"""Nodes that print, for an engine started with `--node-module tests.gpu_functions.talkative`."""

import os
import sys
from typing import Any, ClassVar


class Prints:
    """Prints its text so many times, then passes a colour on."""

    CATEGORY = "tests"
    FUNCTION = "run"
    RETURN_TYPES = ("INT",)
    inputs: ClassVar[dict[str, Any]] = {
        "text": ("STRING", {"default": ""}),
        "times": ("INT", {"default": 1, "min": 0, "max": 10_000_000}),
        "dies": ("BOOLEAN", {"default": False}),
    }

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {"required": cls.inputs}

    def run(self, text: str, times: int, dies: bool) -> tuple[int]:  # noqa: FBT001 - an input
        lines = f"{text}\n" * min(times, 1_000)
        for _ in range(max(1, times // 1_000)):
            sys.stdout.write(lines)
        sys.stdout.flush()
        if dies:
            os._exit(3)
        return (255,)


NODE_CLASS_MAPPINGS = {"Prints": Prints}
