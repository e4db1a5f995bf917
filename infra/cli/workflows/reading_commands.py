"""The commands that read a file and need no server; `group.py` has them among the others."""

from pathlib import Path
from typing import Annotated

import typer

File = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="JSON of either format, or a picture, video or sound that ComfyUI saved.",
    ),
]
ObjectInfo = Annotated[
    Path | None,
    typer.Option(
        "--object-info",
        metavar="FILE",
        help="As ComfyUI's /object_info answers. Default: that of COMFYUI_URL, else of what runs here.",
    ),
]


def convert(file: File, object_info: ObjectInfo = None) -> None:
    """Print the API graph of a workflow file.

    [bold]Examples[/bold]
      comfyburst workflows convert flow.json --object-info object_info.json
      COMFYUI_URL=http://127.0.0.1:8188 comfyburst workflows convert flow.json > graph.json
      comfyburst workflows convert picture.png
    """
    from infra.cli.workflows.reading import convert_file

    raise typer.Exit(convert_file(file, object_info))


def inspect(
    file: File,
    object_info: ObjectInfo = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,  # noqa: FBT002
) -> None:
    """Print what a workflow file holds, and what it would take and give.

    [bold]Examples[/bold]
      comfyburst workflows inspect flow.json --object-info object_info.json
      comfyburst workflows inspect picture.png --json
    """
    from infra.cli.workflows.reading import inspect_file

    raise typer.Exit(inspect_file(file, object_info, as_json=as_json))
