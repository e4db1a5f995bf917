"""Brings the models of an environment into a folder: fetched, checked, recorded."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, Protocol, assert_never, cast

from comfy_images.manifest import Lock, ModelFile
from comfy_images.model_sync import (
    Blocked,
    Check,
    Fetch,
    Found,
    HashMismatchError,
    Keep,
    Origin,
    bytes_to_fetch,
    judge,
    plan_sync,
)
from infra.environments.download import (
    Download,
    DownloadError,
    bytes_of,
    forget_part,
    part_of,
    publish,
)
from infra.local.single import only_one

OURS: Final = ".comfyburst"
"""In the models folder: our notes of it, and the lock of whoever syncs it."""
INDEX: Final = "models.json"
"""Among them: which file was hashed when it had which size and time, so it is done once."""
MAX_HEADER_BYTES: Final = 100 * 10**6
"""Of a .safetensors; the library itself takes no more."""
SPARE_BYTES: Final = 10**9
"""Left free on the disk."""
_CHUNK_BYTES: Final = 1 << 20


class Screen(Protocol):
    """Shows how far a sync is."""

    def start(self, model: ModelFile, there: int) -> None:
        """A model is fetched from this byte on."""
        ...

    def bytes(self, there: int) -> None:
        """So many of its bytes are there."""
        ...

    def checking(self, model: ModelFile) -> None:
        """All of it is there; its hash is computed."""
        ...

    def done(self, model: ModelFile, origin: Origin | None) -> None:
        """It is there and right; `first` was recorded just now, None was checked before."""
        ...

    def failed(self, model: ModelFile, reason: str) -> None:
        """It is not there, or not right."""
        ...


class NoRoomError(Exception):
    """The disk is too small for what is missing."""

    code: ClassVar = "disk_full"


@dataclass(slots=True)
class Index:
    """Hashes of files as they lay there."""

    root: Path
    entries: dict[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def read(cls, root: Path) -> "Index":
        """What an earlier sync left; a broken one costs only time."""
        try:
            values: Any = json.loads((root / OURS / INDEX).read_text())
        except (OSError, ValueError):
            return cls(root)
        return cls(root, cast("dict[str, Any]", values) if isinstance(values, dict) else {})

    def hash_of(self, path: str) -> str | None:
        """As it was computed, if the file is still the same by size and time."""
        entry = self.entries.get(path)
        known = cast("list[Any]", entry) if isinstance(entry, list) else []
        return str(known[2]) if len(known) == 3 and known[:2] == self._stamp(path) else None

    def note(self, path: str, sha256: str) -> None:
        """Remember a hash that was computed just now."""
        self.entries[path] = [*self._stamp(path), sha256]
        text = json.dumps(self.entries, indent=1, sort_keys=True)
        (self.root / OURS / INDEX).write_text(text)

    def _stamp(self, path: str) -> list[int]:
        status = (self.root / path).stat()
        return [status.st_size, status.st_mtime_ns]


@dataclass(frozen=True, slots=True)
class ModelSync:
    """Syncs one models folder. `save` is given each lock that recorded something, at once."""

    root: Path
    download: Download
    screen: Screen
    save: Callable[[Lock], None]

    def run(self, lock: Lock) -> tuple[Lock, int]:
        """The lock with what was recorded, and how many models are not there or not right.

        A model that fails does not stop the next.

        Raises:
            NoRoomError: before anything is fetched.
            AlreadyRunningError: somebody else syncs this folder.
        """
        ours = self.root / OURS
        ours.mkdir(parents=True, exist_ok=True)
        with only_one(ours):
            return self._run(lock)

    def _run(self, lock: Lock) -> tuple[Lock, int]:
        index = Index.read(self.root)
        plan = plan_sync(lock, self._found(lock, index))
        self._require_room(bytes_to_fetch(plan, self._partial(lock)))
        failed = 0
        for action in plan:
            model = action.model
            try:
                match action:
                    case Keep():
                        self.screen.done(model, None)
                    case Check():
                        lock = self._accept(lock, model, self.root / model.path, index)
                    case Fetch():
                        lock = self._fetch(lock, model, index)
                    case Blocked(_, reason):
                        failed += 1
                        self.screen.failed(model, reason)
                    case _:
                        assert_never(action)
            except (DownloadError, HashMismatchError, OSError) as error:
                failed += 1
                self.screen.failed(model, str(error))
        return lock, failed

    def _fetch(self, lock: Lock, model: ModelFile, index: Index) -> Lock:
        target = self.root / model.path
        target.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(target)
        self.screen.start(model, bytes_of(part))
        self.download.fetch(model.url, target, model.size_bytes, self.screen.bytes)
        try:
            return self._accept(lock, model, part, index)
        except (HashMismatchError, DownloadError):
            forget_part(target)
            raise

    def _accept(self, lock: Lock, model: ModelFile, file: Path, index: Index) -> Lock:
        """Check a whole file, give it its name, and record a hash that nobody stated."""
        self.screen.checking(model)
        require_kind(model, file)
        sha256 = sha256_of(file)
        origin = judge(lock, model, sha256)
        target = self.root / model.path
        if file != target:
            publish(target)
        index.note(model.path, sha256)
        if origin == "first":
            lock = lock.with_recorded(model, sha256)
            self.save(lock)
        self.screen.done(model, origin)
        return lock

    def _found(self, lock: Lock, index: Index) -> dict[str, Found]:
        paths = [model.path for model in lock.environment.models]
        return {
            path: Found(bytes_of(self.root / path), index.hash_of(path))
            for path in paths
            if (self.root / path).is_file()
        }

    def _partial(self, lock: Lock) -> dict[str, int]:
        paths = [model.path for model in lock.environment.models]
        return {path: bytes_of(part_of(self.root / path)) for path in paths}

    def _require_room(self, needed_bytes: int) -> None:
        free_bytes = shutil.disk_usage(self.root).free
        if needed_bytes and free_bytes < needed_bytes + SPARE_BYTES:
            raise NoRoomError(
                f"{self.root} has {free_bytes / 1e9:.1f} GB free, and {needed_bytes / 1e9:.1f} GB are "
                "to be fetched. Make room, or choose another disk."
            )


def sha256_of(path: Path) -> str:
    """Of a whole file, without holding it."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def require_kind(model: ModelFile, path: Path) -> None:
    """That a file begins as its name says: a login page that came with status 200 is no model.

    Raises:
        DownloadError: it begins otherwise.
    """
    kind = model.name.lower().rpartition(".")[2]
    with path.open("rb") as file:
        head = file.read(9)
    match kind:
        case "safetensors" | "sft":
            header_bytes = int.from_bytes(head[:8], "little")
            most = min(MAX_HEADER_BYTES, model.size_bytes - 8)
            good = head[8:9] == b"{" and header_bytes <= most
        case "gguf":
            good = head[:4] == b"GGUF"
        case _:
            good = True
    if not good:
        raise DownloadError(f"{model.path} does not begin as a .{kind} does. Is the URL right?")
