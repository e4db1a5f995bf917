"""Which graphics card this machine has, and what the torch that was installed makes of it."""

import platform
import shutil
import subprocess
from enum import StrEnum
from pathlib import Path
from typing import Final

ANSWER_S: Final = 20.0
"""A driver that sleeps takes seconds to answer the first call."""
_PROBE: Final = (
    "import torch; "
    "gpu = torch.cuda.is_available() or torch.backends.mps.is_available(); "
    "print(torch.__version__, 'gpu' if gpu else 'cpu')"
)


class Graphics(StrEnum):
    """What ComfyUI can compute on."""

    NVIDIA = "NVIDIA"
    AMD = "AMD"
    APPLE = "Apple"
    NONE = "none"


def find_graphics(path: str | None = None) -> Graphics:
    """Ask the driver's own tool, looked for on `path` (default: PATH)."""
    if _lists_gpu("nvidia-smi", ["-L"], path):
        return Graphics.NVIDIA
    if _lists_gpu("rocm-smi", ["--showproductname"], path):
        return Graphics.AMD
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return Graphics.APPLE
    return Graphics.NONE


def _lists_gpu(name: str, arguments: list[str], path: str | None) -> bool:
    tool = shutil.which(name, path=path)
    # The tool may be there without a card, and the card without a working driver.
    return tool is not None and "GPU" in (_said([tool, *arguments]) or "")


def torch_of(python: Path) -> tuple[str, bool]:
    """The version of its torch, and whether that can use a graphics card.

    Raises:
        ValueError: torch cannot be imported.
    """
    words = (_said([str(python), "-c", _PROBE], timeout_s=120) or "").split()
    if len(words) != 2:
        raise ValueError(f"{python} cannot import torch")
    return words[0], words[1] == "gpu"


def _said(command: list[str], timeout_s: float = ANSWER_S) -> str | None:
    """What a command printed, None when it failed."""
    try:
        done = subprocess.run(  # noqa: S603 - commands of this file
            command, capture_output=True, text=True, check=False, timeout=timeout_s
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
