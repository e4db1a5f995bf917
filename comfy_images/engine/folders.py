"""Where files live, and which names may reach them: input, output and temp under one base folder."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path


class ForbiddenPathError(ValueError):
    """A name would reach outside the folder it belongs to."""


@dataclass(frozen=True, slots=True)
class Folders:
    """The three folders of ComfyUI."""

    base: Path

    @property
    def input(self) -> Path:
        return self.base / "input"

    @property
    def output(self) -> Path:
        return self.base / "output"

    @property
    def temp(self) -> Path:
        return self.base / "temp"

    def prepare(self) -> None:
        """Create the folders and empty `temp`, as every start of ComfyUI does (sheet §3)."""
        self.wipe_temp()
        for folder in (self.input, self.output, self.temp):
            folder.mkdir(parents=True, exist_ok=True)

    def wipe_temp(self) -> None:
        shutil.rmtree(self.temp, ignore_errors=True)

    def of(self, kind: str) -> Path | None:
        """The folder of a `type` value in a URL or form; None if there is no such type."""
        return {"input": self.input, "output": self.output, "temp": self.temp}.get(kind)

    def annotated(self, name: str) -> Path:
        """The file of a LoadImage value: `a.png`, or `a.png [output]` to leave the input folder.

        Raises:
            ForbiddenPathError: The name leaves its folder.
        """
        for kind in ("input", "output", "temp"):
            suffix = f" [{kind}]"
            if name.endswith(suffix):
                return inside(self.base / kind, name.removesuffix(suffix))
        return inside(self.input, name)


def inside(folder: Path, name: str) -> Path:
    """`folder/name`, links resolved.

    Raises:
        ForbiddenPathError: The result is not below `folder`: traversal, an absolute name, a link out.
    """
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise ForbiddenPathError(f"{name!r} is outside the {folder.name} folder")
    return path
