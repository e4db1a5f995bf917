"""Install the pinned S3 server into a venv of its own: `python -m infra.s3server.install TARGET`.

Not in our venv: nothing of ours needs eventlet, and it patches the standard library. About 80 MB.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

_REQUIREMENTS: Final = Path(__file__).resolve().parent / "requirements.txt"
_STAMP: Final = "installed.sha256"
_SHOWN_LINES: Final = 12


class S3ServerInstallError(Exception):
    """A step failed; the message says which one and ends with what the tool said."""


def install(target: Path, report: Callable[[str], None]) -> Path:
    """The Python that can run `serve.py`; at once where the same pins are installed.

    Raises:
        S3ServerInstallError: a step failed. The next call starts anew.
    """
    venv = target.resolve() / "venv"
    python, stamp = venv / "bin" / "python", target / _STAMP
    if not stamp.exists() or stamp.read_text() != _pins():
        stamp.unlink(missing_ok=True)
        shutil.rmtree(venv, ignore_errors=True)
        report("Installing an S3 server (Swift).")
        _run("make a virtual environment", sys.executable, "-m", "venv", str(venv))
        pip = (str(python), "-m", "pip", "install", "--quiet", "--no-input")
        _run("install Swift", *pip, "--require-hashes", "-r", str(_REQUIREMENTS))
        _run("import Swift", str(python), "-c", "import swift.proxy.server, pyeclib.ec_iface")
        stamp.write_text(_pins())
    report(f"The S3 server is installed in {target}.")
    return python


def _pins() -> str:
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    digest.update(_REQUIREMENTS.read_bytes())
    return digest.hexdigest()


def _run(step: str, *command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError as error:
        raise S3ServerInstallError(f"Could not {step}: {error}") from error
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_SHOWN_LINES:])
        raise S3ServerInstallError(f"Could not {step} (exit code {done.returncode}):\n{said}")


def main(target: Annotated[Path, typer.Argument(help="The folder to install into.")]) -> None:
    """Install the test S3 server into TARGET."""
    try:
        install(target, typer.echo)
    except S3ServerInstallError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)
