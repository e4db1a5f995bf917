"""`comfyburst`: the one command. Each of its parts is imported when it is asked for, so help is quick."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="""Any ComfyUI workflow as a typed, durable API.

[bold]Examples[/bold]
  comfyburst up                                   start it on this machine
  comfyburst comfy                                install a real ComfyUI for it
  comfyburst run poster.json -i 1.prompt='Hello' -o outputs
  comfyburst workflows push flow.json --name x    keep it under a name
  comfyburst run x -i prompt='Hello'              and run it by that
  comfyburst doctor                               see what works and what not

In a checkout, ./dev is this command with everything installed: ./dev doctor.""",
    add_completion=False,
)

_PASS_ON = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": list[str](),
}


@app.command()
def up(
    port: Annotated[
        int | None, typer.Option(help="Listen here; 0 is any free port. Default: 8000.")
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="Folder for all that is kept. Default: .comfyburst.")
    ] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="Also write url, key and pid here once all is ready.")
    ] = None,
    engine: Annotated[  # noqa: FBT002 - typer gives it by name
        bool, typer.Option("--engine", help="The embedded engine does the work, whatever is set.")
    ] = False,
) -> None:
    """Start everything on this machine, until Ctrl-C.

    Postgres and Valkey come as wheels and need no installation;
    DATABASE_URL and REDIS_URL use yours instead. Work is done by COMFYUI_URL,
    else COMFYUI_DIR, else what `comfyburst comfy` installed,
    else a small embedded engine.

    [bold]Examples[/bold]
      comfyburst up
      comfyburst up --port 9000 --state ~/comfyburst
      COMFYUI_DIR=~/ComfyUI comfyburst up
      COMFYUI_URL=http://127.0.0.1:8188 comfyburst up
    """
    from infra.local.up import UpOptions, run_up

    raise typer.Exit(run_up(UpOptions(port, state, ready_file, engine)))


@app.command()
def comfy(
    source: Annotated[
        Literal["auto", "git", "package"],
        typer.Option(help="auto: git where GitHub answers within 10 s, else the package."),
    ] = "auto",
    into: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for it. Default: comfyui in the state folder."),
    ] = None,
    remove: Annotated[  # noqa: FBT002 - typer gives it by name
        bool,
        typer.Option("--remove", help="Take it away, unless something of yours is in it."),
    ] = False,
) -> None:
    """Install a real ComfyUI; `up` then uses it without any variable.

    git: the newest release, by the official comfy-cli, with the torch that
    fits your graphics card. package: 0.3.75 from the package index, for where
    GitHub is out of reach. It gets an interpreter of its own and about 3 to
    10 GB of disk. A call that was cut goes on where it stopped.

    [bold]Examples[/bold]
      comfyburst comfy
      comfyburst comfy --source package
      comfyburst comfy --into /big/disk/comfyui
      comfyburst comfy --remove
    """
    from infra.cli.comfy import ComfyOptions
    from infra.cli.comfy import comfy as install_or_remove

    state = Path(os.environ.get("COMFYBURST_STATE", ".comfyburst"))
    raise typer.Exit(install_or_remove(ComfyOptions(source, into, state, remove)))


@app.command()
def run(
    workflow: Annotated[
        str,
        typer.Argument(
            metavar="WORKFLOW",
            help="A file as ComfyUI's Export (API) writes it, or the name of one that was pushed.",
        ),
    ],
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            "-i",
            metavar="INPUT=VALUE",
            help="Of a file NODE.INPUT, NODE by id, title or class. @file uploads a file; := takes JSON.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where files land.")
    ] = Path(),
    as_json: Annotated[  # noqa: FBT002 - typer gives it by name
        bool, typer.Option("--json", help="Print the job and its files as one JSON object.")
    ] = False,
    strip_metadata: Annotated[  # noqa: FBT002 - typer gives it by name
        bool, typer.Option("--strip-metadata", help="Let no file carry the prompt or workflow.")
    ] = False,
) -> None:
    """Run a workflow: fill in inputs, submit, follow, download.

    It talks to what ./dev runs here, or to COMFY_BASE_URL with COMFY_API_KEY.
    Files never overwrite others; their paths are printed, one a line.
    Ctrl-C cancels the job.

    [bold]Examples[/bold]
      comfyburst run poster.json -i 1.prompt='Hello, world' -o outputs
      comfyburst run poster -i prompt='Hello, world'
      comfyburst run poster@prod -i seed=random -o outputs
      comfyburst run flow.json -i KSampler.seed=7 -i 'Positive.text=a red fox'
      comfyburst run flow.json -i LoadImage.image=@photo.png -o outputs
      comfyburst run flow.json -i '5.upscale_model:=null' --json
    """
    from infra.cli.run.command import RunOptions
    from infra.cli.run.command import run as run_workflow

    state = Path(os.environ.get("COMFYBURST_STATE", ".comfyburst"))
    options = RunOptions(workflow, inputs or [], output, as_json, state, strip_metadata)
    raise typer.Exit(run_workflow(options))


@app.command()
def doctor() -> None:
    """Check every part, and say what to do about what does not work.

    Exits with 1 when something fails; warnings leave it at 0.

    [bold]Examples[/bold]
      comfyburst doctor
      DATABASE_URL=postgresql://db/burst comfyburst doctor
    """
    from infra.cli.doctor.table import examine_and_print

    raise typer.Exit(examine_and_print())


@app.command()
def serve() -> None:
    """Run the front door alone, on the DATABASE_URL you give it.

    [bold]Examples[/bold]
      DATABASE_URL=postgresql://db/burst comfyburst serve
      DATABASE_URL=postgresql://db/burst COMFYBURST_PORT=9000 comfyburst serve
    """
    os.execv(sys.executable, [sys.executable, "-P", "-m", "app"])  # noqa: S606 - becomes it


@app.command()
def worker(
    workspace: Annotated[
        list[str] | None,
        typer.Option(
            "--workspace",
            "-w",
            help="Serve this workspace; several may be named. Default: local, or all with COMFY_USER.",
        ),
    ] = None,
    environment: Annotated[
        str, typer.Option("--environment", "-e", help="Name its ComfyUI is registered under.")
    ] = "local",
    any_workspace: Annotated[  # noqa: FBT002 - typer gives it by name
        bool,
        typer.Option(
            "--any-workspace", help="Serve all: you vouch that its nodes run nobody's own code."
        ),
    ] = False,
) -> None:
    """Run one more worker for what runs here, or for INTERNAL_URL.

    Its token is minted from the installation's secret and handed over a pipe;
    the worker sees neither the database nor the secret.

    [bold]Examples[/bold]
      comfyburst worker
      COMFYUI_URL=http://127.0.0.1:8188 comfyburst worker
      CUDA_VISIBLE_DEVICES=1 COMFYUI_DIR=~/ComfyUI comfyburst worker -w team-a
    """
    from infra.cli.worker import WorkerOptions, become_worker

    become_worker(WorkerOptions(workspace or [], environment, any_workspace))


@app.command()
def soak(
    jobs: Annotated[int, typer.Option(min=1, help="How many.")] = 500,
    seed: Annotated[int, typer.Option(help="The same seed draws the same jobs and faults.")] = 1,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Leave the database and all logs here afterwards."),
    ] = None,
) -> None:
    """Prove that no job is lost and none done twice, on a stack of its own.

    Random jobs on several workers while parts are killed, frozen and cut off
    at random; then every row is checked. The last line is one JSON object;
    exits with 1 if a promise was broken. About ten jobs a second.

    [bold]Examples[/bold]
      comfyburst soak
      comfyburst soak --jobs 10000 --seed 7
      comfyburst soak --jobs 500 --seed 7 --keep soak-7
    """
    from infra.soak.main import SoakOptions
    from infra.soak.main import soak as run_soak

    raise typer.Exit(run_soak(SoakOptions(jobs, seed, keep=keep)))


@app.command()
def migrate() -> None:
    """Bring the database up to date, and print what was applied.

    [bold]Examples[/bold]
      comfyburst migrate
      DATABASE_URL=postgresql://db/burst comfyburst migrate
    """
    from infra.cli.migrate import migrate_and_print

    raise typer.Exit(migrate_and_print())


@app.command(context_settings=_PASS_ON, add_help_option=False)
def workflows(context: typer.Context) -> None:
    """Push workflows, and run them by name: see `comfyburst workflows --help`."""
    from infra.cli.workflows.group import workflows as group

    group(context.args, prog_name="comfyburst workflows")


@app.command(context_settings=_PASS_ON, add_help_option=False)
def keys(context: typer.Context) -> None:
    """Make, list and revoke API keys: see `comfyburst keys --help`."""
    from infra.cli.keys import keys as group

    group(context.args, prog_name="comfyburst keys")


@app.command(context_settings=_PASS_ON, add_help_option=False)
def environments(context: typer.Context) -> None:
    """Check, lock, install and import environments: see `comfyburst environments --help`."""
    from infra.cli.environments import environments as group

    group(context.args, prog_name="comfyburst environments")


if __name__ == "__main__":
    app(prog_name="comfyburst")
