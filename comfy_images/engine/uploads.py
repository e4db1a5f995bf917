"""How an upload is named: the asked name if it is free or holds the same bytes (sheet §1)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from comfy_images.engine.folders import inside

if TYPE_CHECKING:
    from comfy_images.engine.node_type import JsonObject


@dataclass(frozen=True, slots=True)
class Upload:
    """What the form asked for; `kind` is input, output or temp."""

    name: str
    subfolder: str
    kind: str
    overwrite: bool


def store(upload: Upload, root: Path, content: bytes) -> JsonObject:
    """Write the file unless it is there already; answer where it is.

    Raises:
        ForbiddenPathError: The subfolder or the name leaves `root`.
    """
    folder = inside(root, upload.subfolder)
    path = inside(folder, upload.name)
    if not upload.overwrite:
        path = _free_name(path, content)
    if upload.overwrite or not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return {"name": path.name, "subfolder": upload.subfolder, "type": upload.kind}


def _free_name(path: Path, content: bytes) -> Path:
    """`a.png`, else `a (1).png` and so on: the first that is unused or holds `content`."""
    candidate, count = path, 0
    while candidate.exists() and not _same(candidate, content):
        count += 1
        candidate = path.with_name(f"{path.stem} ({count}){path.suffix}")
    return candidate


def _same(path: Path, content: bytes) -> bool:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest() == hashlib.sha256(content).digest()
