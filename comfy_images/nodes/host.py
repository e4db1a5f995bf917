"""Which program runs these nodes, ComfyUI or the embedded engine: the only module that knows.

ComfyUI's images are torch tensors, the engine's are NumPy arrays; both are float32, shaped
[batch, height, width, channel], from 0 to 1. Neither is imported here: whoever runs the nodes is
in `sys.modules` already, and the pack must load where the other one is not installed.
"""

import sys
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, cast

import numpy as np
from PIL import Image

_COMFYUI: Final = "comfy.model_management"
_ENGINE: Final = "comfy_images.engine.host"
_PREVIEW_PIXELS: Final = 512
_OUT_OF_MEMORY_TEXT: Final = (
    "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 23.69 GiB of "
    "which 1.10 GiB is free."
)


class Progress(Protocol):
    """Where a node tells how far it is."""

    def step(self, value: int, total: int, preview: Image.Image | None = None) -> None:
        """Report, then raise what the host raises if the user interrupted the job."""
        ...


class _EngineHost(Protocol):
    def progress(self, value: int, total: int, preview: Image.Image | None = None) -> None: ...


@dataclass(slots=True)
class _ComfyProgress:
    """ComfyUI's bar throws on interruption by itself only where a server hook is installed."""

    _bar: Any = field(default=None)

    def step(self, value: int, total: int, preview: Image.Image | None = None) -> None:
        sys.modules[_COMFYUI].throw_exception_if_processing_interrupted()
        if self._bar is None:
            self._bar = sys.modules["comfy.utils"].ProgressBar(total)
        shown = None if preview is None else ("JPEG", preview, _PREVIEW_PIXELS)
        self._bar.update_absolute(value, total, shown)


@dataclass(frozen=True, slots=True)
class _EngineProgress:
    _host: _EngineHost

    def step(self, value: int, total: int, preview: Image.Image | None = None) -> None:
        self._host.progress(value, total, preview)


class _NoProgress:
    def step(self, value: int, total: int, preview: Image.Image | None = None) -> None:
        """Outside any host, as in a unit test, there is nobody to tell."""


def progress() -> Progress:
    """The reporter of the node that runs now; ask for it inside the node's function."""
    if _COMFYUI in sys.modules:
        return _ComfyProgress()
    engine = sys.modules.get(_ENGINE)
    host = cast("_EngineHost | None", engine.current()) if engine else None
    return _EngineProgress(host) if host else _NoProgress()


def as_image(picture: Image.Image) -> object:
    """A picture as the host's IMAGE, a batch of one."""
    pixels = np.asarray(picture.convert("RGB"), dtype=np.float32)[None] / np.float32(255)
    if _COMFYUI in sys.modules:
        return sys.modules["torch"].from_numpy(pixels)
    return pixels


def out_of_memory() -> Exception:
    """The error a full GPU raises, which the verdict tells from others by its type's name.

    The engine has no torch, so there a class of the same name and module stands in.
    """
    if _COMFYUI in sys.modules:
        return cast("Exception", sys.modules["torch"].cuda.OutOfMemoryError(_OUT_OF_MEMORY_TEXT))
    stand_in = type("OutOfMemoryError", (RuntimeError,), {"__module__": "torch"})
    return stand_in(_OUT_OF_MEMORY_TEXT)
