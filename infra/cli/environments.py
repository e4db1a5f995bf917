"""`comfyburst environments`: check, lock, install, write down and import environments."""

import contextlib
import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from comfy_images.dockerfile import dockerfile as dockerfile_of
from comfy_images.image import image_plan
from comfy_images.importing import NotKnownError, toml_of
from comfy_images.manifest import Lock, LockError, ManifestError
from infra.cli.model_screen import ModelScreen
from infra.cli.plain import plain
from infra.comfyui.follow import ComfyUIInstallError, Report
from infra.comfyui.graphics import Graphics, find_graphics
from infra.environments.download import TOKENS, Download, http_client
from infra.environments.files import (
    FileError,
    lock_path,
    open_import,
    open_lock,
    open_manifest,
    save_lock,
)
from infra.environments.install import arguments_here
from infra.environments.install import install as install_environment
from infra.environments.models import ModelSync, NoRoomError
from infra.local.single import AlreadyRunningError

environments = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    help="""Environments: one TOML names a ComfyUI, its custom nodes, packages and models, each pinned.

[bold]Examples[/bold]
  comfyburst environments import snapshot.json -o studio.toml
  comfyburst environments check studio.toml
  comfyburst environments install studio.toml ~/studio
  comfyburst environments models studio.toml ~/studio/ComfyUI/models""",
)

File = Annotated[Path, typer.Argument(metavar="FILE.toml", help="The environment.")]


@environments.command()
def check(file: File) -> None:
    """Name everything that is wrong with an environment, each with its place in the TOML.

    Exits with 1 when something is. Fetches nothing.

    [bold]Examples[/bold]
      comfyburst environments check studio.toml
    """
    with _told(file):
        manifest = open_manifest(file)
        stated = sum(model.sha256 is not None for model in manifest.models)
        size_gb = sum(model.size_bytes for model in manifest.models) / 1e9
        commit = manifest.comfyui.commit[:12]
        typer.echo(f"{manifest.name}: ComfyUI {manifest.comfyui.version} ({commit})")
        typer.echo(f"  {len(manifest.custom_nodes)} packs of custom nodes")
        typer.echo(
            f"  {len(manifest.models)} models, {size_gb:.1f} GB; {stated} with a stated hash"
        )
        typer.echo("It is in order.")


@environments.command("lock")
def write_lock_file(file: File) -> None:
    """Write the lock beside the TOML, and print the environment's digest.

    Equal digests are installed alike. What a sync of models recorded in the
    lock stays, as long as URL and size stay. Commit both files.

    [bold]Examples[/bold]
      comfyburst environments lock studio.toml
    """
    with _told(file):
        locked = open_lock(file)
        save_lock(file, locked)
        typer.echo(f"wrote {lock_path(file)}", err=True)
        typer.echo(locked.digest)


@environments.command()
def dockerfile(
    file: File,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Default: print it.")
    ] = None,
) -> None:
    """Write the Dockerfile of an environment: everything in it but its models.

    Models are mounted at /opt/comfyui/ComfyUI/models. It needs no files beside
    it. ComfyUI asks nobody who they are: publish its port on loopback.

    [bold]Examples[/bold]
      comfyburst environments dockerfile studio.toml | docker build -t studio -
      docker run --gpus all -p 127.0.0.1:8188:8188 -v ~/models:/opt/comfyui/ComfyUI/models studio
    """
    with _told(file):
        text = dockerfile_of(image_plan(open_lock(file)))
        if output is None:
            typer.echo(text, nl=False)
            return
        output.write_text(text)
        typer.echo(f"wrote {output}", err=True)


@environments.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="snapshot.json, comfy-lock.yaml or x.cpack.zip."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE.toml", help="Default: print it.")
    ] = None,
    name: Annotated[str, typer.Option(help="What jobs call the environment.")] = "imported",
) -> None:
    """Turn a ComfyUI-Manager snapshot, comfy-lock.yaml or a pack of comfy-pack into a TOML.

    What the file does not say stays empty, with a remark: `check` names it.
    What cannot be carried over is named at the top. Nothing is overwritten.

    [bold]Examples[/bold]
      comfyburst environments import snapshot.json -o studio.toml --name studio
      comfyburst environments import comfy-lock.yaml
      comfyburst environments import portrait.cpack.zip -o portrait.toml
    """
    with _told(file):
        draft = open_import(file)
        text = toml_of(draft, name)
        if output is None:
            typer.echo(text, nl=False)
        else:
            with output.open("x", encoding="utf-8") as new:
                new.write(text)
            typer.echo(f"wrote {output}", err=True)
        for note in draft.notes:
            typer.echo(plain(note), err=True)


@environments.command()
def install(
    file: File,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of its own.")],
    python: Annotated[
        str | None, typer.Option(metavar="PROGRAM", help="Default: the python3.N of the TOML.")
    ] = None,
    no_check: Annotated[  # noqa: FBT002 - typer gives it by name
        bool, typer.Option("--no-check", help="Do not start it once without a graphics card.")
    ] = False,
) -> None:
    """Install an environment here: ComfyUI, packs and packages, at exactly its commits.

    A call that was cut goes on where it stopped; a changed TOML changes what
    lies there. A pack that does not import fails the install. Models are not
    fetched: see `models`. Packs are programs, and run with your rights.

    [bold]Examples[/bold]
      comfyburst environments install studio.toml ~/studio
      COMFYUI_DIR=~/studio/ComfyUI COMFYUI_PYTHON=~/studio/venv/bin/python comfyburst up
    """
    with _told(file):
        locked = open_lock(file)
        installed = install_environment(
            locked,
            folder,
            _with_seconds(),
            environ=os.environ,
            python=python,
            check=not no_check,
        )
        words = arguments_here(locked, has_card=find_graphics() is not Graphics.NONE)
        arguments = f" COMFYUI_ARGS='{words}'" if words else ""
        typer.echo(
            f"\n{locked.environment.name} is ready, digest {installed.digest[:16]}. Use it by\n"
        )
        typer.echo(
            f"  COMFYUI_DIR={installed.directory} COMFYUI_PYTHON={installed.python}{arguments} ./dev\n"
        )
        if locked.environment.models:
            typer.echo(f"Its models: comfyburst environments models {file} {installed.models}")


@environments.command()
def models(
    file: File,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The models folder of a ComfyUI.")],
) -> None:
    """Fetch the models of an environment into a models folder, and check all of them.

    A download that was cut is resumed. What no source states a hash of is
    recorded in the lock at the first sync, which says so; from then on it must
    stay the same. Files that are not of the environment are left alone. Gated
    models: HF_TOKEN and CIVITAI_API_TOKEN, which no other host ever sees.

    [bold]Examples[/bold]
      comfyburst environments models studio.toml ~/studio/ComfyUI/models
      HF_TOKEN=hf_... comfyburst environments models studio.toml /big/disk/models
    """
    tokens = {host: os.environ[name] for host, name in TOKENS.items() if os.environ.get(name)}
    with _told(file), http_client() as http, ModelScreen(Console(stderr=True)) as screen:

        def save(locked: Lock) -> None:
            save_lock(file, locked)

        sync = ModelSync(folder, Download(http, tokens), screen, save)
        _, failed = sync.run(open_lock(file))
    if failed:
        raise typer.Exit(1)


@contextlib.contextmanager
def _told(file: Path) -> Generator[None]:
    """Say what is wrong, and end with 1."""
    try:
        yield
    except ManifestError as error:
        typer.echo(f"{file} has {len(error.faults)} faults:", err=True)
        for fault in error.faults:
            typer.echo(f"  {plain(fault)}", err=True)
        raise typer.Exit(1) from error
    except AlreadyRunningError as error:
        typer.echo(f"FAILED: A sync of that folder is {error}.", err=True)
        raise typer.Exit(1) from error
    except _FAILURES as error:
        typer.echo(f"FAILED: {plain(error)}", err=True)
        raise typer.Exit(1) from error


_FAILURES = (LockError, FileError, NotKnownError, ComfyUIInstallError, NoRoomError, OSError)


def _with_seconds() -> Report:
    started = time.monotonic()

    def report(line: str) -> None:
        typer.echo(f"{time.monotonic() - started:6.0f} s  {plain(line)}")

    return report
