"""The folder that an installation lies in: ours or not, room for it, and what of it is the user's."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from infra.comfyui.follow import ComfyUIInstallError

OURS: Final = ".made-by-comfyburst"
_MODEL_BYTES: Final = 1_000_000
"""ComfyUI's own files below `models` are small configurations."""
_COMES_WITH_IT: Final = frozenset({"__pycache__", "websocket_image_save.py"})


def claim(folder: Path) -> None:
    """Make the folder, or take one that is empty or was made by us.

    Raises:
        ComfyUIInstallError: it holds something of somebody else, or cannot be written.
    """
    try:
        if folder.exists() and not is_ours(folder) and any(folder.iterdir()):
            use = f"./dev uses it with COMFYUI_DIR={folder}; or n" if _is_comfyui(folder) else "N"
            raise ComfyUIInstallError(
                f"{folder} is there already, and not of our making. {use}ame another with --into."
            )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / OURS).touch()
    except OSError as error:
        raise ComfyUIInstallError(f"{folder} cannot be written: {error.strerror}") from error


def _is_comfyui(folder: Path) -> bool:
    return (folder / "main.py").is_file()


def is_ours(folder: Path) -> bool:
    """Whether `claim` made it."""
    return (folder / OURS).is_file()


def require_room(folder: Path, needed_bytes: int) -> int:
    """The bytes that are free where the folder is or will be.

    Raises:
        ComfyUIInstallError: there are fewer than needed.
    """
    there = folder
    while not there.exists():
        there = there.parent
    free_bytes = shutil.disk_usage(there).free
    if free_bytes < needed_bytes:
        raise ComfyUIInstallError(
            f"{there} has {free_bytes / 1e9:.1f} GB free and about {needed_bytes / 1e9:.0f} GB are "
            "needed. Make room, or choose another disk: ./dev comfy --into /other/disk/comfyui"
        )
    return free_bytes


def remove(folder: Path) -> None:
    """Delete what we made, unless something of the user's lies in it.

    Raises:
        ComfyUIInstallError: it is not of our making, or holds models or custom nodes.
    """
    if not folder.exists():
        return
    if not is_ours(folder):
        raise ComfyUIInstallError(f"{folder} is not of our making; nothing was deleted.")
    kept = list(of_the_user(folder))
    if kept:
        listed = "\n".join(f"  {path}" for path in kept[:5])
        more = f"\n  and {len(kept) - 5} more" if len(kept) > 5 else ""
        raise ComfyUIInstallError(
            f"Nothing was deleted: these are yours.\n{listed}{more}\nMove or delete them, then run "
            "this again."
        )
    shutil.rmtree(folder)


def of_the_user(folder: Path) -> Iterator[Path]:
    """Models and custom nodes below it that did not come with ComfyUI."""
    for models in _folders(folder, "models"):
        for path in models.rglob("*"):
            if path.is_file() and path.stat().st_size >= _MODEL_BYTES:
                yield path
    for packs in _folders(folder, "custom_nodes"):
        for path in packs.iterdir():
            if path.name not in _COMES_WITH_IT and path.suffix != ".example":
                yield path


def _folders(folder: Path, name: str) -> Iterator[Path]:
    """Where each of the two sources has it."""
    for place in (folder / "git" / "ComfyUI" / name, folder / "package" / name):
        if place.is_dir():
            yield place
