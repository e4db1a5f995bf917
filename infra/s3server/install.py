"""Install the pinned S3 server into a venv of its own: `python -m infra.s3server.install TARGET`.

Not in our venv: nothing of ours needs eventlet, and it patches the standard library. About 80 MB.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer

from infra.pinned import InstallError, make_venv, pins_of, run

_REQUIREMENTS: Final = Path(__file__).resolve().parent / "requirements.txt"
_STAMP: Final = "installed.sha256"


def install(target: Path, report: Callable[[str], None]) -> Path:
    """The Python that can run `serve.py`; at once where the same pins are installed.

    Raises:
        InstallError: a step failed. The next call starts anew.
    """
    venv = target.resolve() / "venv"
    python, stamp = venv / "bin" / "python", target / _STAMP
    pins = pins_of([_REQUIREMENTS])
    if not stamp.exists() or stamp.read_text() != pins:
        stamp.unlink(missing_ok=True)
        shutil.rmtree(venv, ignore_errors=True)
        report("Installing an S3 server (Swift).")
        make_venv(venv, _REQUIREMENTS)
        run("import Swift", str(python), "-c", "import swift.proxy.server, pyeclib.ec_iface")
        stamp.write_text(pins)
    report(f"The S3 server is installed in {target}.")
    return python


def main(target: Annotated[Path, typer.Argument(help="The folder to install into.")]) -> None:
    """Install the test S3 server into TARGET."""
    try:
        install(target, typer.echo)
    except InstallError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)
