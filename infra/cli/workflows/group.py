"""The commands of `comfyburst workflows`. What they do is in the modules beside this one."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.workflows.reading_commands import convert, inspect

workflows = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Push workflows, and run them by name.

[bold]Examples[/bold]
  comfyburst workflows inspect picture.png
  comfyburst workflows push flow.json --name poster
  comfyburst workflows show poster
  comfyburst run poster -i prompt='Hello, world'
  comfyburst workflows bind poster --set prompt.label=Text --remove seed
  comfyburst workflows diff poster 1 2
  comfyburst workflows rollback poster""",
)

workflows.command()(inspect)
workflows.command()(convert)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the workflow.")]
Reference = Annotated[
    str, typer.Argument(metavar="NAME[@VERSION]", help="As poster, poster@3 or poster@prod.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print what the server answers.")]


@workflows.command()
def push(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="JSON of either format, or a picture or video that ComfyUI saved."
        ),
    ],
    name: Annotated[str, typer.Option("--name", "-n", help="Small letters, digits, - and _.")],
    environment: Annotated[
        str, typer.Option("--environment", "-e", help="Which ComfyUI runs it, by name.")
    ] = "local",
    notes: Annotated[str, typer.Option(help="What this version is about.")] = "",
    bindings: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What it takes and gives. Default: proposed."),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002 - typer gives it by name
) -> None:
    """Keep a workflow under a name: its next version, unless one has this content."""
    from infra.cli.workflows.pushing import PushOptions
    from infra.cli.workflows.pushing import push as push_file

    options = PushOptions(file, name, environment, notes, bindings)
    _run(lambda state: push_file(options, state, as_json=as_json))


@workflows.command("list")
def list_workflows(
    archived: Annotated[  # noqa: FBT002 - typer gives it by name
        bool, typer.Option("--archived", help="The archived ones, and no others.")
    ] = False,
    as_json: AsJson = False,  # noqa: FBT002 - typer gives it by name
) -> None:
    """List workflows: their versions, and where their words lead."""
    from infra.cli.workflows.looking import list_all

    _run(lambda state: list_all(state, archived=archived, as_json=as_json))


@workflows.command()
def show(
    reference: Reference,
    as_json: AsJson = False,  # noqa: FBT002 - typer gives it by name
) -> None:
    """Show what a version takes and gives."""
    from infra.cli.workflows.looking import show as show_version

    _run(lambda state: show_version(state, reference, as_json=as_json))


@workflows.command()
def versions(
    name: Name,
    as_json: AsJson = False,  # noqa: FBT002 - typer gives it by name
) -> None:
    """List the versions of a workflow, newest first."""
    from infra.cli.workflows.looking import versions as list_versions

    _run(lambda state: list_versions(state, name, as_json=as_json))


@workflows.command()
def diff(
    name: Name,
    old: Annotated[str, typer.Argument(metavar="FROM", help="A number, or a word as prod.")],
    new: Annotated[
        str, typer.Argument(metavar="TO", help="A number, or a word as prod.")
    ] = "latest",
    as_json: AsJson = False,  # noqa: FBT002 - typer gives it by name
) -> None:
    """Show what is different between two versions: nodes, inputs, outputs."""
    from infra.cli.workflows.differing import diff as show_diff

    _run(lambda state: show_diff(state, name, old, new, as_json=as_json))


@workflows.command()
def bind(
    reference: Reference,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="INPUT.FIELD=VALUE",
            help="prompt.label=Text, width.maximum=2048, seed.name=noise; := takes JSON.",
        ),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="INPUT", help="Callers cannot give it.")
    ] = None,
    edits: Annotated[
        Path | None,
        typer.Option(
            "--file", metavar="FILE", help='JSON as {"inputs": {"prompt": {"label": "Text"}}}.'
        ),
    ] = None,
    notes: Annotated[str, typer.Option(help="What this version is about.")] = "",
    as_json: AsJson = False,  # noqa: FBT002 - typer gives it by name
) -> None:
    """Change inputs and outputs; the result is a new version."""
    from infra.cli.workflows.binding import BindOptions
    from infra.cli.workflows.binding import bind as change

    options = BindOptions(reference, changes or [], remove or [], edits, notes)
    _run(lambda state: change(options, state, as_json=as_json))


@workflows.command()
def alias(
    name: Name,
    word: Annotated[str, typer.Argument(metavar="ALIAS", help="prod, say.")],
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="A number, or another word.")
    ] = None,
    delete: Annotated[  # noqa: FBT002 - typer gives it by name
        bool, typer.Option("--delete", help="Let it lead nowhere.")
    ] = False,
) -> None:
    """Let a word lead to a version, so that NAME@ALIAS runs it."""
    from infra.cli.workflows.pointing import point

    if delete == (version is not None):
        raise typer.BadParameter("name a version, or say --delete")
    _run(lambda state: point(state, name, word, version))


@workflows.command()
def rollback(
    name: Name,
    word: Annotated[str, typer.Option("--alias", help="The word that is to lead back.")] = "latest",
    to: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Default: the version before.")
    ] = None,
) -> None:
    """Let `latest`, or another word, lead to the version before."""
    from infra.cli.workflows.pointing import roll_back

    _run(lambda state: roll_back(state, name, word, to))


@workflows.command()
def archive(
    name: Name,
    restore: Annotated[  # noqa: FBT002 - typer gives it by name
        bool, typer.Option("--restore", help="Take it back.")
    ] = False,
) -> None:
    """Put a workflow away: it is not run, and nothing of it is lost."""
    from infra.cli.workflows.pointing import put_away

    _run(lambda state: put_away(state, name, restore=restore))


@workflows.command()
def schema(reference: Reference) -> None:
    """Print the JSON Schema of a version's inputs."""
    from infra.cli.workflows.looking import schema as print_schema

    _run(lambda state: print_schema(state, reference))


@workflows.command()
def code(
    reference: Reference,
    label: Annotated[
        str | None, typer.Option("--for", help="curl, httpx, comfy-sdk or fetch. Default: all.")
    ] = None,
) -> None:
    """Print programs that run a version: curl, Python, JavaScript."""
    from infra.cli.workflows.looking import code as print_code

    _run(lambda state: print_code(state, reference, label))


def _run(command: Callable[[Path], int]) -> None:
    raise typer.Exit(command(Path(os.environ.get("COMFYBURST_STATE", ".comfyburst"))))


if __name__ == "__main__":
    workflows(prog_name="comfyburst workflows")
