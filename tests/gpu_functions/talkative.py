"""Nodes that print and show too much, for an engine started with `--node-module tests.gpu_functions.talkative`."""

import os
import sys
from typing import Any, ClassVar

from PIL import Image

from comfy_images.engine.host import current


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


class Shows:
    """Sends two previews: noise of 512 px, some 300 KiB as a JPEG, and then a plain one."""

    CATEGORY = "tests"
    FUNCTION = "run"
    RETURN_TYPES = ("INT",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        return {"required": {"times": ("INT", {"default": 1})}}

    def run(self, times: int) -> tuple[int]:
        host, size = current(), (512, 512)
        assert host is not None
        for number in range(times):
            noise = Image.frombytes("RGB", size, os.urandom(3 * size[0] * size[1]))
            host.progress(2 * number + 1, 2 * times, noise)
            host.progress(2 * number + 2, 2 * times, Image.new("RGB", size, "red"))
        return (255,)


NODE_CLASS_MAPPINGS = {"Prints": Prints, "Shows": Shows}
