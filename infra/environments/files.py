"""The files of an environment on this machine: its TOML, its lock beside it, those of other tools."""

import json
import zipfile
import zlib
from pathlib import Path
from typing import Any, ClassVar, Final

import yaml

from comfy_images.importing import Draft, draft_of
from comfy_images.manifest import Lock, Manifest, lock, read_lock, read_manifest, write_lock
from comfy_images.manifest.locking import MAX_BYTES as MAX_LOCK_BYTES
from comfy_images.manifest.reading import MAX_BYTES as MAX_MANIFEST_BYTES
from infra.local.private_file import write_private

MAX_IMPORT_BYTES: Final = 4 << 20
"""Of a snapshot, and of each file that is read out of a .cpack.zip."""
MAX_ZIP_BYTES: Final = 1 << 30
"""Of a .cpack.zip, which carries the inputs of its workflow."""
LOCK_SUFFIX: Final = ".lock.json"


_BROKEN_ZIP: Final = (
    zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError,
)  # fmt: skip
"""What zipfile raises for one that is cut, encrypted or packed in an unknown way."""


class FileError(Exception):
    """A file cannot be read or written; the message says why."""

    code: ClassVar = "file"


def open_manifest(path: Path) -> Manifest:
    """The environment of a TOML. Raises FileError and ManifestError."""
    return read_manifest(_bytes(path, MAX_MANIFEST_BYTES + 1))


def lock_path(path: Path) -> Path:
    """Where the lock of a TOML lies."""
    return path.with_name(path.name.removesuffix(".toml") + LOCK_SUFFIX)


def open_lock(path: Path) -> Lock:
    """The lock of a TOML as it is now, with what the lock file beside it has recorded of models.

    Raises:
        FileError: a file cannot be read.
        LockError: the lock file is none.
        ManifestError: the TOML has faults.
    """
    manifest = open_manifest(path)
    beside = lock_path(path)
    if not beside.exists():
        return lock(manifest)
    return lock(manifest, read_lock(_bytes(beside, MAX_LOCK_BYTES + 1)))


def save_lock(path: Path, locked: Lock) -> None:
    """Write the lock of a TOML beside it, in one step."""
    try:
        write_private(lock_path(path), write_lock(locked))
        lock_path(path).chmod(0o644)  # it is committed beside its TOML, and holds no secret
    except OSError as error:
        raise FileError(f"{lock_path(path)} cannot be written: {error.strerror}") from error


def open_import(path: Path) -> Draft:
    """What a file of another tool says. Raises FileError and NotKnownError."""
    if zipfile.is_zipfile(path):
        return _open_pack(path)
    return draft_of(_parsed(_bytes(path, MAX_IMPORT_BYTES + 1), path.name))


def _open_pack(path: Path) -> Draft:
    """Two members are read, none is unpacked."""
    if path.stat().st_size > MAX_ZIP_BYTES:
        raise FileError(f"{path} has more than {MAX_ZIP_BYTES} bytes.")
    try:
        with zipfile.ZipFile(path) as pack:
            snapshot = _member(pack, "snapshot.json")
            has_pins = "requirements.txt" in pack.namelist()
            pins = _member(pack, "requirements.txt") if has_pins else b""
    except (*_BROKEN_ZIP, KeyError) as error:
        raise FileError(f"{path} is no pack of comfy-pack: {error}") from error
    return draft_of(_parsed(snapshot, "snapshot.json"), pins.decode(errors="replace"))


def _member(pack: zipfile.ZipFile, name: str) -> bytes:
    with pack.open(name) as file:
        return file.read(MAX_IMPORT_BYTES + 1)


def _parsed(content: bytes, name: str) -> Any:
    if len(content) > MAX_IMPORT_BYTES:
        raise FileError(f"{name} has more than {MAX_IMPORT_BYTES} bytes.")
    try:
        if name.lower().endswith((".yaml", ".yml")):
            return yaml.load(content, _TextLoader)  # noqa: S506 - makes texts, lists and mappings only
        return json.loads(content)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        words = " ".join(str(error).split())[:200]
        raise FileError(f"{name} is not the JSON or YAML of its name: {words}") from error


class _TextLoader(yaml.BaseLoader):
    """Every value a text: a commit of digits is no number, and version 1.10 is not 1.1.

    Without aliases: a few lines of them unfold to more than a machine holds.
    """

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read")
        return super().compose_node(parent, index)


def _bytes(path: Path, most: int) -> bytes:
    """One byte more than allowed is enough to know."""
    try:
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from error
