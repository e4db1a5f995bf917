"""How saved files are called: `{prefix}_{00001}_.png`, counted per folder and prefix (sheet §3)."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

_BATCH_NUMBER = "%batch_num%"


@dataclass(frozen=True, slots=True)
class FileNames:
    """The names of one batch of files in `folder`, which exists."""

    folder: Path
    subfolder: str
    stem: str
    first: int

    def name(self, index: int, extension: str) -> str:
        """The name of the `index`-th file, from 0."""
        stem = self.stem.replace(_BATCH_NUMBER, str(index))
        return f"{stem}_{self.first + index:05}_.{extension}"


def file_names(root: Path, prefix: str, width: int, height: int) -> FileNames:
    """Names that no file of the folder has. A `/` in the prefix makes subfolders.

    Raises:
        ValueError: The prefix leaves `root`.
    """
    relative = os.path.normpath(_expanded(prefix, width, height))
    subfolder, stem = os.path.split(relative)
    folder = root / subfolder
    if not folder.resolve().is_relative_to(root.resolve()):
        raise ValueError("Saving image outside the output folder is not allowed.")
    folder.mkdir(parents=True, exist_ok=True)
    return FileNames(folder, subfolder, stem, _next_number(folder, stem))


def _expanded(prefix: str, width: int, height: int) -> str:
    """The variables that ComfyUI's server knows; `%date:...%` and others belong to its frontend."""
    now = time.localtime()
    variables = {
        "width": str(width),
        "height": str(height),
        "year": str(now.tm_year),
        "month": f"{now.tm_mon:02}",
        "day": f"{now.tm_mday:02}",
        "hour": f"{now.tm_hour:02}",
        "minute": f"{now.tm_min:02}",
        "second": f"{now.tm_sec:02}",
    }
    for name, value in variables.items():
        prefix = prefix.replace(f"%{name}%", value)
    return prefix


def _next_number(folder: Path, stem: str) -> int:
    """One more than the highest number in use, whatever the extension."""
    pattern = re.compile(re.escape(stem).replace(_BATCH_NUMBER, r"\d+") + r"_(\d+)_?(?:\.|$)")
    with os.scandir(folder) as entries:
        used = (pattern.match(entry.name) for entry in entries)
        return max((int(match[1]) for match in used if match), default=0) + 1
