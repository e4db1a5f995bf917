"""What a user can reach and change here, asked as that user: `python -I -S survey.py JSON`.

Runs under ComfyUI's own interpreter, which is thereby known to start. Standard library only.
"""

import json
import os
import stat
import sys
from pathlib import Path

_ENOUGH = 3
_MAX_ENTRIES = 500_000


def main() -> None:
    """Print JSON: `problems` as sentences, and whether the view is `private`."""
    told = json.loads(sys.argv[1])
    problems = [f"{path} cannot be read by it" for path in told["read"] if not _readable(path)]
    problems += [f"{path} cannot be written by it" for path in told["write"] if not _own(path)]
    private = _is_read_only(Path("/"))
    for path in map(Path, told["closed"]):
        found = changeable(path)
        # In a view of its own, what it puts in the place of a folder nobody else sees.
        found += [] if private else [part for part in (path, *path.parents) if _replaces(part)]
        problems += [f"{changed} can be changed by it" for changed in found[:_ENOUGH]]
    sys.stdout.write(json.dumps({"problems": problems, "private": private}))


def _readable(path: str) -> bool:
    status = _status(Path(path))
    is_folder = status is not None and stat.S_ISDIR(status.st_mode)
    return os.access(path, os.R_OK | (os.X_OK if is_folder else 0))


def _own(path: str) -> bool:
    return os.access(path, os.W_OK | os.X_OK)


def changeable(root: Path) -> list[Path]:
    """What of a tree the user could write to; a few are enough."""
    found: list[Path] = []
    if _status(root) is None or _is_read_only(root):
        return found
    seen = 0
    for folder, _, names in os.walk(root):
        here = Path(folder)
        paths = [here, *(here / name for name in names)]
        found += [path for path in paths if _is_changeable(path)]
        seen += len(paths)
        if len(found) >= _ENOUGH or seen > _MAX_ENTRIES:
            break
    return found


def _is_changeable(path: Path) -> bool:
    status = path.lstat()
    # What it owns it can make writable. A link's own rights say nothing.
    if stat.S_ISLNK(status.st_mode):
        return False
    return status.st_uid == os.getuid() or os.access(path, os.W_OK)


def _status(path: Path) -> os.stat_result | None:
    """None also where the user may not look: what it cannot see it cannot change."""
    try:
        return path.stat()
    except OSError:
        return None


def _is_read_only(path: Path) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _replaces(path: Path) -> bool:
    """Whether the user could put something else in the place of `path`."""
    folder = path.parent
    status = _status(folder)
    if status is None or _status(path) is None:
        return False
    if status.st_mode & stat.S_ISVTX and os.getuid() not in (status.st_uid, path.lstat().st_uid):
        return False
    return path != folder and os.access(folder, os.W_OK)


if __name__ == "__main__":
    main()
