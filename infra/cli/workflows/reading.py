"""`comfyburst workflows convert` and `inspect`: what is in a file, without a server."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import httpx
import psycopg
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.db.postgres import open_database
from app.errors import AppError
from app.workflows.bindings.models import Bindings, InputBinding
from app.workflows.bindings.propose import propose_workflow
from app.workflows.convert.convert import Converted, convert
from app.workflows.convert.document import json_list, json_object
from app.workflows.convert.refusal import ConversionRefusedError
from app.workflows.declared import with_declared_classes
from app.workflows.environments.repository import EnvironmentRepository
from app.workflows.environments.service import EnvironmentService
from app.workflows.graph import Graph
from app.workflows.inspect.find import MAX_FILE_BYTES, Found, find_workflow
from app.workflows.inspect.refusal import NoWorkflowError
from infra.cli.plain import plain, plain_line
from infra.local.running import settings_of_running

MAX_OBJECT_INFO_BYTES: Final = 64 * 2**20
COMFYUI_TIMEOUT_S: Final = 30.0
DATABASE_TIMEOUT_S: Final = 3.0
ENVIRONMENT: Final = "local"
MAX_CELL: Final = 60

ObjectInfo = Mapping[str, Any]


class ReadingError(Exception):
    """What was named cannot be read; says why."""


@dataclass(frozen=True, slots=True)
class Read:
    """A file, and its graph where one could be made."""

    found: Found
    graph: Graph | None
    notes: tuple[str, ...]
    """What should be known about the graph, or why there is none."""
    object_info: ObjectInfo | None


def convert_file(path: Path, object_info: Path | None) -> int:
    """Print the graph of a file; 1 when there is none."""
    try:
        read = _read(path, object_info)
    except ReadingError as error:
        return _failed(error)
    if read.graph is None:
        return _failed("\n".join(read.notes))
    for note in read.notes:
        _say(note)
    sys.stdout.write(json.dumps(read.graph, indent=2, ensure_ascii=False) + "\n")
    return 0


def inspect_file(path: Path, object_info: Path | None, *, as_json: bool) -> int:
    """Print what a file holds and what it would take and give."""
    try:
        read = _read(path, object_info)
    except ReadingError as error:
        return _failed(error)
    bindings = Bindings()
    if read.graph is not None:
        bindings = propose_workflow(read.graph, read.object_info, read.found.ui).bindings
    if as_json:
        _print_json(read, bindings)
        return 0
    _print_facts(read)
    _print_bindings(bindings)
    return 0


def _read(path: Path, object_info: Path | None) -> Read:
    try:
        found = find_workflow(_content(path, MAX_FILE_BYTES))
    except NoWorkflowError as error:
        raise ReadingError(f"{path}: {error.message}") from error
    known = _object_info(object_info, needed=found.kind != "api")
    if found.kind == "api":
        return Read(found, found.workflow, (), known)
    if known is None:
        return Read(found, None, (_NOBODY_TO_ASK,), None)
    try:
        made = convert(found.workflow, with_declared_classes(found.workflow, known))
    except ConversionRefusedError as error:
        return Read(found, None, (f"No graph was made. {error.message}", *_details(error)), known)
    return Read(found, made.graph, _notes(made), known)


_NOBODY_TO_ASK: Final = (
    "No graph was made: what the editor saves does not say what its values are. Name a ComfyUI that does, "
    "by --object-info FILE (as its /object_info answers) or COMFYUI_URL, or start ./dev."
)


def _details(error: ConversionRefusedError) -> Iterator[str]:
    for each in error.details.get("missing", []):
        pack = f", of the pack {each['pack']} {each['version'] or ''}" if each["pack"] else ""
        yield f"  {each['class_type']}: node {', '.join(each['node_ids'])}{pack}".rstrip()
    for fault in error.details.get("faults", []):
        yield f"  {fault['field']}: {fault['message']}"


def _notes(made: Converted) -> tuple[str, ...]:
    return tuple(f"{note.message} ({', '.join(note.node_ids[:8])})" for note in made.notes)


def _content(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise ReadingError(f"{path}: {error.strerror}") from error
    if len(content) > limit:
        raise ReadingError(f"{path} is larger than {limit} bytes.")
    return content


def _object_info(path: Path | None, *, needed: bool) -> ObjectInfo | None:
    """Of the file, else of the ComfyUI at COMFYUI_URL, else of what runs here; None without any."""
    url = os.environ.get("COMFYUI_URL", "").rstrip("/")
    if path is not None:
        content = _content(path, MAX_OBJECT_INFO_BYTES)
    elif url:
        content = asyncio.run(_download(f"{url}/object_info"))
    else:
        return asyncio.run(_of_what_runs_here()) if needed else None
    try:
        value: Any = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ReadingError(f"{path or url}: this object_info is not JSON.") from error
    if not isinstance(value, dict):
        raise ReadingError(f"{path or url}: object_info is an object of nodes by name.")
    return cast(ObjectInfo, value)


async def _of_what_runs_here() -> ObjectInfo | None:
    """As the newest worker told the database of `./dev`; None where nothing runs."""
    settings = settings_of_running()
    if not settings.database_url:
        return None
    try:
        async with open_database(
            settings.database_url, size=1, timeout_s=DATABASE_TIMEOUT_S
        ) as database:
            _, known = await EnvironmentService(EnvironmentRepository(database)).get(ENVIRONMENT)
    except (AppError, psycopg.Error):
        return None
    return known


async def _download(url: str) -> bytes:
    try:
        async with httpx.AsyncClient(timeout=COMFYUI_TIMEOUT_S) as client:
            reply = await client.get(url)
            reply.raise_for_status()
            return reply.content
    except httpx.HTTPError as error:
        raise ReadingError(f"{url} cannot be read: {str(error) or type(error).__name__}") from error


def _print_json(read: Read, bindings: Bindings) -> None:
    value = {
        "format": read.found.format,
        "kind": read.found.kind,
        "source": read.found.source,
        "nodes": _classes(read),
        "notes": list(read.notes),
        **bindings.model_dump(mode="json"),
    }
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _classes(read: Read) -> dict[str, int]:
    """How many nodes of each class: of the graph, else of the root of the editor's file."""
    nodes: list[Any] = read.found.workflow.get("nodes") or []
    field = "type"
    if read.graph is not None:
        nodes, field = list(read.graph.values()), "class_type"
    named = (cast(Graph, node).get(field) for node in nodes if isinstance(node, dict))
    subgraphs = _subgraph_names(read.found.workflow)
    return dict(sorted(Counter(subgraphs.get(str(n), str(n)) for n in named).items()))


def _subgraph_names(ui: Graph) -> dict[str, str]:
    listed = json_list(json_object(ui.get("definitions")).get("subgraphs"))
    return {
        str(each.get("id")): f"subgraph {str(each.get('name'))!r}"
        for each in map(json_object, listed)
    }


_KINDS: Final = {
    "api": "a graph, as Export (API) writes it",
    "ui": "a workflow, as the editor saves it",
    "app": "an app: a workflow with inputs picked in the editor",
}


def _print_facts(read: Read) -> None:
    classes = _classes(read)
    place = "" if read.found.format == read.found.source else f", from the {read.found.source}"
    _out(f"{read.found.format}: {_KINDS[read.found.kind]}{plain_line(place)}")
    shown = [f"{name} x{count}" if count > 1 else name for name, count in classes.items()]
    _out(f"{sum(classes.values())} nodes: {plain_line(', '.join(shown))}")
    for note in read.notes:
        _out(plain(note))


def _print_bindings(bindings: Bindings) -> None:
    if bindings.inputs:
        table = Table(
            "input", "type", "group", "default", "takes", "sets", box=None, pad_edge=False
        )
        for each in bindings.inputs:
            targets = ", ".join(f"{t.node_id}.{t.input}" for t in each.targets)
            table.add_row(
                *map(_cell, (each.name, each.file_kind or each.type, each.group)),
                *map(_cell, (_default(each), _takes(each), targets)),
            )
        _console().print(table)
    if bindings.outputs:
        table = Table("output", "kind", "node", box=None, pad_edge=False)
        for output in bindings.outputs:
            table.add_row(*map(_cell, (output.name, output.kind, output.node_id)))
        _console().print(table)


def _default(binding: InputBinding) -> object:
    return "" if binding.default is None else binding.default


def _takes(binding: InputBinding) -> str:
    if binding.choices is not None:
        return f"one of {len(binding.choices)}"
    if binding.minimum is None and binding.maximum is None:
        return ""
    low = "" if binding.minimum is None else binding.minimum
    high = "" if binding.maximum is None else binding.maximum
    return f"{low} to {high}".strip()


def _cell(value: object) -> Text:
    text = plain_line(value)
    return Text(text if len(text) <= MAX_CELL else text[: MAX_CELL - 1] + "…")


def _console() -> Console:
    return Console(highlight=False, markup=False)


def _out(text: str) -> None:
    sys.stdout.write(text + "\n")


def _say(reason: object) -> None:
    Console(stderr=True, highlight=False).print(plain(reason), markup=False, soft_wrap=True)


def _failed(reason: object) -> int:
    _say(reason)
    return 1
