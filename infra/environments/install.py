"""A local install of an environment: the steps of its image, run in a folder of this machine.

The folder gets `ComfyUI`, `venv` and the lock it was made from; the worker starts it by COMFYUI_DIR
and COMFYUI_PYTHON. It is marked as ours, and nothing that was not is touched (infra/comfyui/place).
"""

import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, cast

from comfy_images.manifest import Lock, LockError, read_lock, write_lock
from comfy_images.steps import Command, Places, Step, start_once, steps
from infra.comfyui.follow import ComfyUIInstallError, Report, follow
from infra.comfyui.place import claim
from infra.local.single import AlreadyRunningError, only_one

LOCK: Final = "environment.lock.json"
"""In the folder: what is installed, or was being installed when it was cut."""
DONE: Final = "installed.json"
"""In the folder: the digest of a finished install, and every package that it got."""

_PASSED_ON: Final = frozenset({
    "PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "NETRC", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY",
    "http_proxy", "https_proxy", "no_proxy", "all_proxy", "CUDA_HOME", "CC", "CXX", "MAX_JOBS",
})  # fmt: skip
_PASSED_ON_PREFIXES: Final = ("PIP_", "GIT_", "LC_", "XDG_")


@dataclass(frozen=True, slots=True)
class Installed:
    """`python directory/main.py` starts it."""

    directory: Path
    python: Path
    digest: str

    @property
    def models(self) -> Path:
        """Where its models belong."""
        return self.directory / "models"


def install(
    lock: Lock,
    folder: Path,
    report: Report,
    *,
    environ: Mapping[str, str],
    python: str | None = None,
    check: bool = True,
) -> Installed:
    """Install an environment, or return at once what a finished install of the same lock left.

    Args:
        lock: of the environment
        folder: made, or an earlier install of an environment, which is brought to this one
        report: is told what happens
        environ: of ours; packs see only what git and pip need of it, and no token
        python: makes the virtual environment, in place of the `python3.N` on PATH
        check: start it once, and fail where a pack does not import

    Raises:
        ComfyUIInstallError: a step failed. The next call goes on from there.
    """
    folder = folder.absolute()
    claim(folder)
    if is_current(lock, folder):
        report(f"{lock.environment.name} is installed already; nothing was fetched.")
        return _installed(lock, folder)
    places = Places(PurePosixPath(folder), python or interpreter(lock.environment.python.version))
    environment = passed_on(environ)
    try:
        with only_one(folder):
            _install(lock, folder, places, report, environment, check=check)
    except AlreadyRunningError as error:
        raise ComfyUIInstallError(f"An install into {folder} is {error}.") from error
    return _installed(lock, folder)


def _install(
    lock: Lock,
    folder: Path,
    places: Places,
    report: Report,
    environment: Mapping[str, str],
    *,
    check: bool,
) -> None:
    _clear(lock, folder)
    (folder / LOCK).write_text(write_lock(lock))
    for step in (*steps(lock, places), *((start_once(places),) if check else ())):
        _run(step, report, environment)
    freeze = [str(places.venv_python), "-m", "pip", "freeze"]
    packages = follow("list the packages", freeze, report, environment=environment).splitlines()
    done = {"digest": lock.digest, "packages": packages}
    (folder / DONE).write_text(json.dumps(done, indent=1) + "\n")


def is_current(lock: Lock, folder: Path) -> bool:
    """Whether a finished install of the same digest lies there."""
    try:
        values: Any = json.loads((folder / DONE).read_text())
    except (OSError, ValueError):
        return False
    is_mapping = isinstance(values, dict)
    return is_mapping and cast("dict[str, Any]", values).get("digest") == lock.digest


def interpreter(version: str) -> str:
    """A Python of that version: on PATH, or our own.

    Raises:
        ComfyUIInstallError: there is none.
    """
    if found := shutil.which(f"python{version}"):
        return found
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    raise ComfyUIInstallError(
        f"There is no python{version} here, and the environment asks for it. Install it, name one "
        f"by --python, or change [python] version (ours is "
        f"{sys.version_info.major}.{sys.version_info.minor})."
    )


def passed_on(environ: Mapping[str, str]) -> dict[str, str]:
    """What git and pip need. Code of packs runs in both: no key and no token is among it."""
    kept = {
        name: value
        for name, value in environ.items()
        if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }
    return {
        **kept,
        "GIT_TERMINAL_PROMPT": "0",
        "PIP_NO_INPUT": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PYTHONUNBUFFERED": "1",
    }


def _run(step: Step, report: Report, environment: Mapping[str, str]) -> None:
    report(f"{step.title[:1].upper()}{step.title[1:]}.")
    for command in step.commands:
        try:
            follow(step.title, command, report, environment=environment)
        except ComfyUIInstallError as error:
            raise ComfyUIInstallError(f"{error}\nThe command was: {_shown(command)}") from error


def _shown(command: Command) -> str:
    words = [word for word in command if len(word) <= 200]
    return " ".join(words[:40])


def _clear(lock: Lock, folder: Path) -> None:
    """Take away what an earlier lock had and this one has not; models and outputs stay."""
    (folder / DONE).unlink(missing_ok=True)
    earlier = _earlier(folder)
    if earlier is None or earlier.digest == lock.digest:
        return
    if earlier.environment.python != lock.environment.python:
        shutil.rmtree(folder / "venv", ignore_errors=True)
    kept = {pack.name for pack in lock.environment.custom_nodes}
    for pack in earlier.environment.custom_nodes:
        if pack.name not in kept:
            shutil.rmtree(folder / "ComfyUI" / "custom_nodes" / pack.name, ignore_errors=True)


def _earlier(folder: Path) -> Lock | None:
    try:
        return read_lock((folder / LOCK).read_bytes())
    except (OSError, LockError):
        return None


def _installed(lock: Lock, folder: Path) -> Installed:
    places = Places(PurePosixPath(folder), "")
    return Installed(Path(places.comfyui), Path(places.venv_python), lock.digest)


def arguments_here(lock: Lock, *, has_card: bool) -> str:
    """COMFYUI_ARGS for this machine."""
    return " ".join((*lock.environment.comfyui.arguments, *(() if has_card else ("--cpu",))))
