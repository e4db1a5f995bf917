"""A Python file of more than 400 lines answers a second question (STYLE): which one?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

MAX_LINES: Final = 400
_NOT_OURS: Final = frozenset({"node_modules", "build", "dist", "__pycache__"})


def long_files(root: Path) -> Iterator[str]:
    """One sentence for each file that is too long; folders that begin with a dot are not ours."""
    for path in sorted(_python_files(root)):
        with path.open(encoding="utf-8") as file:
            lines = sum(1 for _ in file)
        if lines > MAX_LINES:
            yield f"{path.relative_to(root)} has {lines} lines; {MAX_LINES} is the most."


def _python_files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name.startswith(".") or path.name in _NOT_OURS or path.is_symlink():
            continue
        if path.is_dir():
            yield from _python_files(path)
        elif path.suffix == ".py":
            yield path
