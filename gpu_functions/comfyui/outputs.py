"""Which files a node put out, and how to open them: history names are the words of strangers.

The walk is generic (facts/comfyui-protocol.md §3): every dict with a `filename`, every string that
names a 3D file, and text. The kind follows the extension, never the key: SaveVideo says `images`.
"""

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Literal, cast

from gpu_functions.comfyui.redact import cut
from gpu_functions.contract import Json, OutputKind

MAX_TEXT_OUTPUT_BYTES = 1_000_000

Folder = Literal["output", "temp", "input"]

_KINDS: dict[OutputKind, dict[str, str]] = {
    "image": {
        "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp",
        "gif": "image/gif", "avif": "image/avif", "bmp": "image/bmp", "tif": "image/tiff",
        "tiff": "image/tiff", "exr": "image/x-exr", "svg": "image/svg+xml",
    },
    "video": {
        "mp4": "video/mp4", "webm": "video/webm", "mov": "video/quicktime",
        "mkv": "video/x-matroska", "avi": "video/x-msvideo", "m4v": "video/x-m4v",
    },
    "audio": {
        "mp3": "audio/mpeg", "flac": "audio/flac", "wav": "audio/wav", "ogg": "audio/ogg",
        "opus": "audio/ogg", "m4a": "audio/mp4", "aac": "audio/aac",
    },
    "text": {
        "txt": "text/plain", "md": "text/markdown", "csv": "text/csv", "srt": "application/x-subrip",
        "vtt": "text/vtt", "json": "application/json",
    },
    "latent": {"latent": "application/octet-stream"},
    "file": {
        "glb": "model/gltf-binary", "gltf": "model/gltf+json", "obj": "model/obj",
        "stl": "model/stl", "fbx": "application/octet-stream", "usdz": "model/vnd.usdz+zip",
        "ply": "application/octet-stream", "zip": "application/zip", "pdf": "application/pdf",
    },
}  # fmt: skip
_BY_EXTENSION: dict[str, tuple[OutputKind, str]] = {
    extension: (kind, content_type)
    for kind, extensions in _KINDS.items()
    for extension, content_type in extensions.items()
}
OUTPUT_KINDS = tuple(_KINDS)
_BARE_PATHS = (".glb", ".obj", ".fbx", ".gltf", ".usdz", ".stl", ".ply")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One output as a node named it: a file in one of ComfyUI's folders, or text."""

    node_id: str
    folder: Folder
    subfolder: str
    filename: str
    text: str | None = None
    optional: bool = False
    """A bare path, which may as well name something that was never written."""

    @property
    def kind(self) -> OutputKind:
        """What it is, by its extension."""
        return kind_of(self.filename)[0]

    @property
    def content_type(self) -> str:
        """A hint for the front door, which decides."""
        return kind_of(self.filename)[1]


def kind_of(filename: str) -> tuple[OutputKind, str]:
    """Kind and content type by extension; everything unknown is a plain file."""
    extension = filename.rpartition(".")[2].lower()
    return _BY_EXTENSION.get(extension, ("file", "application/octet-stream"))


def list_outputs(node_id: str, ui: object) -> Iterator[OutputFile]:
    """Walk one node's `ui` output, as `executed` events and history carry it."""
    if not isinstance(ui, dict):
        return
    node_id = node_id[:200].encode(errors="replace").decode()
    for key, values in cast("Json", ui).items():
        if not isinstance(values, list | tuple):
            continue
        items = cast("list[Any]", values)
        if key == "text":
            yield from _text(node_id, items)
        else:
            yield from _files(node_id, items)


def _files(node_id: str, items: list[Any]) -> Iterator[OutputFile]:
    for item in items:
        match item:
            case {"filename": str(filename), **rest} if filename:
                folder, subfolder = rest.get("type"), rest.get("subfolder")
                # What lies in the input folder came from the caller: it is no output.
                if folder != "input":
                    yield OutputFile(
                        node_id,
                        "temp" if folder == "temp" else "output",
                        subfolder if isinstance(subfolder, str) else "",
                        filename,
                    )
            case str(path) if path.lower().endswith(_BARE_PATHS):
                head, _, filename = path.rpartition("/")
                yield OutputFile(node_id, "output", head, filename, optional=True)
            case _:
                continue


def _text(node_id: str, items: list[Any]) -> Iterator[OutputFile]:
    lines = [item if isinstance(item, str) else str(item) for item in items if item is not None]
    if lines:
        name = re.sub(r"[^\w.-]", "_", node_id)
        text = "\n".join(lines).encode(errors="replace").decode()
        yield OutputFile(
            node_id, "output", "", f"text_{name}.txt", text=cut(text, MAX_TEXT_OUTPUT_BYTES)
        )


class UniqueNames:
    """Basenames unique in the job: two nodes may save `a/x.png` and `b/x.png`."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, filename: str) -> str:
        """The name itself, or with a number before its extension."""
        name = _UNSAFE.sub("_", filename)[-200:] or "output"
        stem, dot, extension = name.rpartition(".")
        unique, number = name, 1
        while unique in self._taken:
            number += 1
            unique = f"{stem}-{number}{dot}{extension}" if dot else f"{name}-{number}"
        self._taken.add(unique)
        return unique


class UnsafePathError(Exception):
    """A name that does not lead to a plain file of the job, whatever else it leads to."""


def open_beneath(root: Path, subfolder: str, filename: str) -> BinaryIO:
    """Open a file beneath `root` without following any link.

    The names come from nodes, so each part is opened relative to the one before (facts/security.md
    §3.4): links, FIFOs, `..` and second names of foreign files (hard links) are refused.

    Raises:
        UnsafePathError: not a plain file of this folder
        FileNotFoundError: nothing there
    """
    parts = [*PurePosixPath(subfolder).parts, filename]
    if any(part in ("", ".", "..", "/") or "/" in part or "\0" in part for part in parts):
        raise UnsafePathError("the path leaves its folder")
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            inner = _open(part, os.O_DIRECTORY, folder)
            os.close(folder)
            folder = inner
        file = _open(parts[-1], 0, folder)
    finally:
        os.close(folder)
    status = os.fstat(file)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(file)
        raise UnsafePathError("not a plain file")
    return os.fdopen(file, "rb")


def _open(name: str, flags: int, folder: int) -> int:
    try:
        return os.open(
            name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | flags, dir_fd=folder
        )
    except FileNotFoundError:
        raise
    except OSError as error:
        raise UnsafePathError("not a plain file in plain folders") from error
