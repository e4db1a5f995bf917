"""Where outputs land: in the folder asked for, under harmless names, over nothing that exists."""

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from infra.cli.plain import plain_line

MAX_NAME_BYTES: Final = 200
FALLBACK: Final = "output"
# What some file system takes for something else than a letter of a name.
_UNSAFE: Final = re.compile(r'[<>:"|?*]')
_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


class IncompleteError(Exception):
    """A download ended early."""


def safe_name(name: str) -> str:
    """A plain file name: no folder, no hidden file, no control character, not too long."""
    base = re.split(r"[/\\]", plain_line(name))[-1]
    base = _UNSAFE.sub("_", base).strip(" .")
    if _RESERVED.fullmatch(base):
        base = f"_{base}"
    return _shortened(base) or FALLBACK


def save(folder: Path, name: str, chunks: Iterable[bytes], size_bytes: int | None) -> Path:
    """Write a new file; a name that is taken gets `(1)`, `(2)` and so on.

    Raises:
        IncompleteError: other than `size_bytes` arrived; nothing is left behind.
    """
    path, file = _reserve(folder, safe_name(name))
    try:
        with file:
            written = sum(file.write(chunk) for chunk in chunks)
        _check_whole(path, written, size_bytes)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _check_whole(path: Path, written: int, size_bytes: int | None) -> None:
    if size_bytes is not None and written != size_bytes:
        raise IncompleteError(f"{written} of {size_bytes} bytes of {path.name} arrived")


def _reserve(folder: Path, name: str) -> tuple[Path, BinaryIO]:
    for candidate in _candidates(name):
        path = folder / candidate
        try:
            return path, path.open("xb")
        except FileExistsError:
            continue
    raise AssertionError("candidates do not end")


def _candidates(name: str) -> Iterator[str]:
    yield name
    stem, suffix = Path(name).stem, Path(name).suffix
    for number in itertools.count(1):
        yield f"{stem} ({number}){suffix}"


def _shortened(name: str) -> str:
    suffix = Path(name).suffix[:20]
    room = MAX_NAME_BYTES - len(suffix.encode())
    stem = name.removesuffix(Path(name).suffix).encode()[:room].decode(errors="ignore")
    return stem + suffix
