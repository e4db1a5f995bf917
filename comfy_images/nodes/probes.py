"""Nodes that are slow, fail, hang or kill the process on demand, for tests; COMFYBURST_PROBES=1.

Each passes an image on, so it can stand anywhere in a chain, and always runs again: a probe that
is answered from ComfyUI's cache probes nothing.
"""

import ctypes
import os
import signal
import time
from typing import Any, ClassVar, Final

from PIL import Image

from .host import as_image, out_of_memory, progress

_HUES: Final = 12
_ERRORS: Final[dict[str, type[Exception]]] = {
    "ValueError": ValueError,
    "KeyError": KeyError,
    "RuntimeError": RuntimeError,
    "OSError": OSError,
}


class _Probe:
    """What the probes share; `inputs` names the widgets of each."""

    CATEGORY = "comfyburst/probes"
    FUNCTION = "run"
    RETURN_TYPES = ("IMAGE",)
    inputs: ClassVar[dict[str, Any]] = {}

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        passed_on = {
            "tooltip": "Passed on unchanged; a plain grey image when nothing is connected."
        }
        return {"required": cls.inputs, "optional": {"image": ("IMAGE", passed_on)}}

    @classmethod
    def IS_CHANGED(cls, **_inputs: object) -> float:  # noqa: N802 - ComfyUI's name
        """Not a number is never equal to what it was before."""
        return float("nan")


def _seconds(default: float, tooltip: str) -> tuple[str, dict[str, Any]]:
    limits = {"min": 0.0, "max": 3600.0, "step": 0.01}
    return "FLOAT", {"default": default, **limits, "tooltip": tooltip}


def _passed(image: object) -> tuple[object]:
    """Images are tensors or arrays, whose truth is undefined: compare with None only."""
    return (as_image(Image.new("RGB", (64, 64), "grey")) if image is None else image,)


class BurstProbeSteps(_Probe):
    """Takes its time and says so, like a sampler."""

    TITLE = "Probe: Steps"
    inputs: ClassVar[dict[str, Any]] = {
        "steps": ("INT", {"default": 5, "min": 1, "max": 10_000, "tooltip": "How many steps."}),
        "seconds": _seconds(0.2, "Seconds a step."),
        "preview": ("BOOLEAN", {"default": True, "tooltip": "Send a preview image every step."}),
    }

    def run(
        self, *, steps: int, seconds: float, preview: bool, image: object = None
    ) -> tuple[object]:
        report = progress()
        for step in range(1, steps + 1):
            time.sleep(seconds)
            report.step(step, steps, _hue(step) if preview else None)
        return _passed(image)


def _hue(step: int) -> Image.Image:
    """A colour that changes every step, so a test sees which preview it got."""
    return Image.new("HSV", (256, 256), (step % _HUES * 255 // _HUES, 180, 220)).convert("RGB")


class BurstProbeError(_Probe):
    """Fails as a node with a bug does."""

    TITLE = "Probe: Error"
    inputs: ClassVar[dict[str, Any]] = {
        "kind": (list(_ERRORS), {"tooltip": "The type of the exception."}),
        "message": ("STRING", {"default": "boom", "tooltip": "What the exception says."}),
    }

    def run(self, kind: str, message: str, image: object = None) -> tuple[object]:
        del image
        raise _ERRORS[kind](message)


class BurstProbeOutOfMemory(_Probe):
    """Fails as a model too large for the GPU does."""

    TITLE = "Probe: Out of Memory"

    def run(self, image: object = None) -> tuple[object]:
        del image
        raise out_of_memory()


class BurstProbeHang(_Probe):
    """Works on without ever looking whether it was interrupted."""

    TITLE = "Probe: Hang"
    inputs: ClassVar[dict[str, Any]] = {"seconds": _seconds(30.0, "Seconds it cannot be stopped.")}

    def run(self, seconds: float, image: object = None) -> tuple[object]:
        time.sleep(seconds)
        return _passed(image)


class BurstProbeCrash(_Probe):
    """Takes the whole process down, in one of three ways a supervisor sees differently."""

    TITLE = "Probe: Crash"
    inputs: ClassVar[dict[str, Any]] = {
        "how": (["exit", "kill", "segv"], {"tooltip": "Exit code 7, SIGKILL, or a bad read."}),
    }

    def run(self, how: str, image: object = None) -> tuple[object]:
        match how:
            case "exit":
                os._exit(7)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case _:
                ctypes.string_at(0)
        return _passed(image)


PROBES: Final = (
    BurstProbeSteps,
    BurstProbeError,
    BurstProbeOutOfMemory,
    BurstProbeHang,
    BurstProbeCrash,
)
