"""The folder that an installation lies in: ours or not, room for it, and what of it is the user's."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from infra.comfyui.follow import ComfyUIInstallError
from infra.pinned import OURS

_OUR_ENTRIES: Final = frozenset({OURS, "git", "package", "lock", ".DS_Store"})
_USERS_FOLDERS: Final = ("models", "output", "user/default/workflows")
_COMES_WITH_IT: Final = frozenset({
    "__pycache__", "websocket_image_save.py", "example_node.py.example",
    "_output_images_will_be_put_here",
})  # fmt: skip


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


def remove(folder: Path) -> bool:
    """Delete what we made, unless something of the user's lies in it; False where nothing was.

    Raises:
        ComfyUIInstallError: it is not of our making, or holds something of the user's.
    """
    if not folder.exists():
        return False
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
    return True


def of_the_user(folder: Path) -> Iterator[Path]:
    """Models, custom nodes, pictures and workflows below it that did not come with ComfyUI."""
    yield from (path for path in folder.iterdir() if path.name not in _OUR_ENTRIES)
    for checkout in (folder / "git" / "ComfyUI", folder / "package"):
        for name in _USERS_FOLDERS:
            yield from (path for path in (checkout / name).rglob("*") if _is_users_file(path))
        packs = checkout / "custom_nodes"
        if packs.is_dir():
            yield from (path for path in packs.iterdir() if path.name not in _COMES_WITH_IT)


def _is_users_file(path: Path) -> bool:
    comes_with_it = (
        path.name in _COMES_WITH_IT
        or path.name.startswith("put_")
        or (path.parent.name == "configs" and path.suffix == ".yaml")
    )
    return path.is_file() and not comes_with_it
