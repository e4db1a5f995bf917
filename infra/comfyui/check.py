"""Does what was installed start, and on what does it compute: asked before it counts as installed."""

import tempfile
from pathlib import Path

from infra.comfyui.follow import ComfyUIInstallError, Report, follow
from infra.comfyui.graphics import Graphics, torch_of
from infra.comfyui.installed import Installation

_MOVED_ON = (
    "The newest libraries may not fit this release. ./dev comfy --source package has pinned ones."
)


def arguments_for(python: Path, graphics: Graphics, report: Report) -> tuple[str, ...]:
    """What ComfyUI is started with: it ends at once where torch finds no card, unless told `--cpu`.

    Args:
        python: its interpreter
        graphics: what the drivers say is there
        report: is told what torch makes of it

    Raises:
        ComfyUIInstallError: torch cannot be imported.
    """
    try:
        torch, on_gpu = torch_of(python)
    except ValueError as error:
        raise ComfyUIInstallError(f"{error}. {_MOVED_ON}") from error
    if on_gpu:
        report(f"torch {torch} can use the graphics card.")
        return ()
    if graphics is Graphics.NONE:
        report(f"torch {torch}; without a graphics card ComfyUI computes on the CPU: --cpu.")
    else:
        report(
            f"torch {torch} cannot use the {graphics} card (a driver that is too old, or a torch "
            "that was not made for it): ComfyUI will compute on the CPU, which is slow."
        )
    return ("--cpu",)


def start_once(installation: Installation, report: Report) -> None:
    """Load all its nodes and end.

    Raises:
        ComfyUIInstallError: a dependency broke; the message ends with the reason.
    """
    report("Starting it once.")
    with tempfile.TemporaryDirectory() as base:
        Path(base, "custom_nodes").mkdir()  # ComfyUI ends where it is missing
        command = [str(installation.python), str(installation.directory / "main.py")]
        flags = ["--quick-test-for-ci", "--base-directory", base, *installation.arguments]
        try:
            follow("start ComfyUI", [*command, *flags], report)
        except ComfyUIInstallError as error:
            hint = f"\n{_MOVED_ON}" if installation.source == "git" else ""
            raise ComfyUIInstallError(f"{error}{hint}") from error
