"""Install the newest ComfyUI from GitHub by the official comfy-cli, which also chooses its torch."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, assert_never

from infra.clients.install import install_comfy_cli
from infra.comfyui.follow import ComfyUIInstallError, Report, follow
from infra.comfyui.graphics import Graphics
from infra.pinned import InstallError

URL: Final = "https://github.com/comfyanonymous/ComfyUI"
"""What comfy-cli 1.23.0 clones by itself."""
ANSWER_S: Final = 10.0
_LEADS_ELSEWHERE: Final = frozenset({"VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME"})
"""comfy-cli installs into an active environment; ours must not get a torch."""

_HOMES_OF_CONFIG: Final = (".config", "Library/Application Support")
"""comfy-cli makes its folder in one of these, and not these themselves."""


@dataclass(frozen=True, slots=True)
class GitInstall:
    """A checkout and the interpreter that comfy-cli made in it."""

    directory: Path

    @property
    def python(self) -> Path:
        """Its own interpreter."""
        return self.directory / ".venv" / "bin" / "python"


def github_answers(url: str = URL, timeout_s: float = ANSWER_S) -> bool:
    """Whether git is here and reaches the repository; never asks for a password."""
    git = shutil.which("git")
    if git is None:
        return False
    try:
        done = subprocess.run(  # noqa: S603 - git, with our words
            [git, "ls-remote", "--exit-code", url, "HEAD"],
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=timeout_s,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def install_from_git(
    target: Path,
    graphics: Graphics,
    report: Report,
    *,
    url: str = URL,
    more: Sequence[str] = (),
) -> GitInstall:
    """Install under target; a checkout that is there is completed, and moved to the newest release.

    Args:
        target: a folder of ours
        graphics: decides which torch comfy-cli fetches
        report: is told what happens
        url: where the repository is
        more: arguments of `comfy install`, for tests

    Raises:
        ComfyUIInstallError: a step failed. The next call goes on from there.
    """
    installed = GitInstall(target / "ComfyUI")
    report("comfy-cli, the official installer: 350 MB, most of it its ffmpeg.")
    try:
        comfy = install_comfy_cli(target, report)
    except InstallError as error:
        raise ComfyUIInstallError(str(error)) from error
    restore = (installed.directory / "main.py").is_file()
    if installed.directory.exists() and not restore:
        # A clone that was cut: git leaves it when killed, and comfy-cli would not touch it.
        shutil.rmtree(installed.directory)
    home = target / "home"
    for parent in _HOMES_OF_CONFIG:
        (home / parent).mkdir(parents=True, exist_ok=True)
    report("Fetching ComfyUI, torch and ComfyUI's other dependencies (minutes).")
    command = comfy_command(comfy, installed.directory, graphics, restore=restore, url=url)
    environment = comfy_environment(os.environ, home)
    follow("install ComfyUI by comfy-cli", [*command, *more], report, environment=environment)
    if not (installed.directory / "main.py").is_file() or not installed.python.exists():
        raise ComfyUIInstallError(f"comfy-cli ended well, but {installed.directory} is no ComfyUI.")
    return installed


def comfy_command(
    comfy: Path, directory: Path, graphics: Graphics, *, restore: bool, url: str = URL
) -> list[str]:
    """`comfy install` that asks nothing: 1.23.0 would ask for the graphics card and for consent."""
    return [
        *(str(comfy), "--skip-prompt", "--no-json", "--workspace", str(directory)),
        *("install", "--url", url, "--version", "latest", "--skip-manager"),
        *(["--restore"] if restore else []),
        _flag(graphics),
    ]


def comfy_environment(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """Without telemetry, and with a home of its own.

    comfy-cli keeps the newest workspace and `--skip-manager` in its configuration, which is the
    user's own where they use comfy-cli themselves. Git and pip go on reading theirs.
    """
    theirs = Path(environ.get("HOME") or "~").expanduser()
    kept = {name: value for name, value in environ.items() if name not in _LEADS_ELSEWHERE}
    found = {
        "XDG_CONFIG_HOME": theirs / ".config",
        "XDG_CACHE_HOME": theirs / ".cache",
        "GIT_CONFIG_GLOBAL": theirs / ".gitconfig",
        "NETRC": theirs / ".netrc",
    }
    defaults = {name: str(path) for name, path in found.items() if path.exists()}
    return {
        **defaults,
        **kept,
        "HOME": str(home),
        "DO_NOT_TRACK": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "PIP_NO_INPUT": "1",
        "PIP_PROGRESS_BAR": "off",
        "PYTHONUNBUFFERED": "1",
        "COLUMNS": "200",
    }


def version_of(directory: Path) -> str:
    """What the checkout calls itself."""
    try:
        text = (directory / "comfyui_version.py").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    found = re.search(r"""__version__ = ["'](.+?)["']""", text)
    return found[1] if found else "unknown"


def _flag(graphics: Graphics) -> str:
    match graphics:
        case Graphics.NVIDIA:
            return "--nvidia"
        case Graphics.AMD:
            return "--amd"
        case Graphics.APPLE:
            return "--m-series"
        case Graphics.NONE:
            return "--cpu"
        case _:
            assert_never(graphics)
