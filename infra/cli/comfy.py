"""`comfyburst comfy`: gives a newcomer a real ComfyUI that `./dev` then uses, and takes it away again."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, assert_never

import typer

from infra.comfyui.check import arguments_for, start_once
from infra.comfyui.follow import ComfyUIInstallError, Report
from infra.comfyui.from_git import github_answers, install_from_git, version_of
from infra.comfyui.graphics import Graphics, find_graphics
from infra.comfyui.install import install as install_package
from infra.comfyui.install import is_current
from infra.comfyui.installed import (
    BrokenInstallationError,
    Installation,
    Source,
    forget_installed,
    read_installed,
    write_installed,
)
from infra.comfyui.place import claim, remove, require_room
from infra.local.places import PlaceError, private_folder
from infra.local.single import AlreadyRunningError, only_one

Asked = Literal["auto", "git", "package"]

FOLDER: Final = "comfyui"
_GB: Final = 10**9
NEEDED_BYTES: Final = {
    Graphics.NVIDIA: 12 * _GB,
    Graphics.AMD: 25 * _GB,
    Graphics.APPLE: 5 * _GB,
    Graphics.NONE: 8 * _GB,
}
"""While it is fetched and unpacked; the index's torch for Linux is the CUDA build, card or not."""


@dataclass(frozen=True, slots=True)
class ComfyOptions:
    """What the command line said."""

    source: Asked
    into: Path | None
    state: Path
    remove: bool = False

    @property
    def folder(self) -> Path:
        """Where the installation lies."""
        return (self.into or self.state / FOLDER).absolute()


def comfy(options: ComfyOptions) -> int:
    """Install or remove; returns the exit code and has said the reason."""
    try:
        state = private_folder(options.state.absolute())
        if options.remove:
            _remove(state, options)
        else:
            _install(state, options)
    except (ComfyUIInstallError, PlaceError, OSError) as error:
        typer.echo(f"FAILED: {error}", err=True)
        return 1
    except AlreadyRunningError as error:
        typer.echo(f"FAILED: ./dev or ./dev comfy is {error}. Stop it first.", err=True)
        return 1
    return 0


def _install(state: Path, options: ComfyOptions) -> None:
    report = _with_seconds()
    known = _known(state)
    if known is not None and is_wanted(known, options):
        typer.echo(_summary(known, state, "is installed already; nothing was fetched"))
        return
    source = decide(options.source, github_answers)
    graphics = find_graphics()
    free_bytes = require_room(options.folder, NEEDED_BYTES[graphics])
    claim(options.folder)
    with only_one(options.folder):
        report(
            f"Installing ComfyUI by {_words(source, options.source)} into {options.folder}. "
            f"Graphics card: {graphics}. Free: {free_bytes / _GB:.0f} GB."
        )
        installation = _fetched(source, options.folder, graphics, report)
        start_once(installation, report)
        write_installed(state, installation)
    typer.echo(_summary(installation, state, "is ready"))


def decide(asked: Asked, answers: Callable[[], bool]) -> Source:
    """Where ComfyUI comes from.

    Raises:
        ComfyUIInstallError: git was asked for and GitHub does not answer.
    """
    if asked == "package":
        return "package"
    if answers():
        return "git"
    if asked == "git":
        raise ComfyUIInstallError(
            "git is missing, or GitHub did not answer within 10 s. Install git, look at the network "
            "(HTTPS_PROXY), or take the older ComfyUI of the package index: ./dev comfy --source package"
        )
    return "package"


def is_wanted(known: Installation, options: ComfyOptions) -> bool:
    """Whether what is installed is what was asked for, whole and of today's pins."""
    return (
        known.problem() is None
        and known.folder == options.folder
        and options.source in {"auto", known.source}
        and (known.source == "git" or is_current(known.folder / known.source))
    )


def _fetched(source: Source, folder: Path, graphics: Graphics, report: Report) -> Installation:
    target = folder / source
    target.mkdir(exist_ok=True)
    match source:
        case "git":
            checkout = install_from_git(target, graphics, report)
            directory, python = checkout.directory, checkout.python
            version = version_of(directory)
        case "package":
            package = install_package(target, report)
            directory, python = package.directory, package.python
            version = version_of(package.package)
        case _:
            assert_never(source)
    return Installation(
        folder=folder,
        directory=directory,
        python=python,
        arguments=arguments_for(python, graphics, report),
        version=version,
        source=source,
    )


def _remove(state: Path, options: ComfyOptions) -> None:
    known = _known(state)
    folder = options.folder if options.into or known is None else known.folder
    with only_one(state):
        was_there = remove(folder)
        if known is None or known.folder == folder:
            forget_installed(state)
    said = f"{folder} is gone." if was_there else f"Nothing is installed in {folder}."
    typer.echo(f"{said} What ./dev uses now, ./dev doctor says.")


def _known(state: Path) -> Installation | None:
    """What was installed, also where it broke: it is about to be replaced."""
    with contextlib.suppress(BrokenInstallationError):
        return read_installed(state)
    return None


def _with_seconds() -> Report:
    started = time.monotonic()

    def report(line: str) -> None:
        typer.echo(f"{time.monotonic() - started:6.0f} s  {line}")

    return report


def _words(source: Source, asked: Asked) -> str:
    if source == "git":
        return "git (comfy-cli)"
    return "the pinned package" + " (GitHub does not answer)" * (asked == "auto")


def _summary(installation: Installation, state: Path, how: str) -> str:
    arguments = f" (started with {' '.join(installation.arguments)})" * bool(installation.arguments)
    running = (state / "ready.json").exists()
    return "\n".join(
        [
            "",
            f"  ComfyUI {installation.version} {how}{arguments}.",
            "",
            f"  ./dev                   {'restart it: it then' if running else 'now'} uses this one, "
            "without any variable",
            "  ./dev up --engine       starts with the embedded engine instead",
            "  ./dev comfy --remove    takes it away again",
            "",
            f"  Models belong into {installation.models},",
            f"  custom nodes into {installation.directory / 'custom_nodes'}.",
            "  COMFYUI_URL and COMFYUI_DIR still win. Nodes run with your rights.",
            "",
        ]
    )
