"""From what a caller brings to what can be kept or run: an API-format graph, and bindings. Pure.

Whatever is wrong is said before anything is stored; only values that a caller of the workflow gives
may be missing still.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import orjson

from app.config import Settings
from app.errors import AppError
from app.workflows.bindings.annotations import unwrap_annotations
from app.workflows.bindings.check import check
from app.workflows.bindings.models import Bindings
from app.workflows.bindings.propose import propose_workflow
from app.workflows.convert.convert import convert
from app.workflows.convert.document import is_ui
from app.workflows.convert.refusal import ConversionRefusedError
from app.workflows.declared import with_declared_classes
from app.workflows.environments.repository import Environment
from app.workflows.graph import Graph, NodeErrors, check_structure, invalid_workflow
from app.workflows.missing import missing
from app.workflows.refusal import summary
from app.workflows.sanitise import check_paths
from app.workflows.sources import sources_of_workflow
from app.workflows.validate import validate

ObjectInfo = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Taken:
    """A workflow as it is kept."""

    graph: Graph
    source: Graph | None
    """The editor's file, where that is what was brought."""
    remarks: list[str] = field(default_factory=list[str])
    """What was done to it on the way, for people."""


def take(
    document: Graph, ui: Graph | None, object_info: ObjectInfo | None, settings: Settings
) -> Taken:
    """A document as it is kept.

    Args:
        document: in API format, or as the editor saves it
        ui: what the editor saved, where that came beside a graph
        object_info: of the environment
        settings: the limits

    Raises:
        AppError: 422 `invalid_workflow`, `workflow_format_ui`, `workflow_too_large`.
    """
    source = document if is_ui(document) else ui
    if source is not None:
        _check_size("editor's file", source, settings.max_source_bytes)
    if is_ui(document):
        taken = replace(converted(document, object_info), source=source)
    else:
        taken = Taken(document, source)
    check_structure(taken.graph, settings.max_nodes)
    _check_size("graph", taken.graph, settings.max_graph_bytes)
    return taken


def to_graph(document: Graph, object_info: ObjectInfo | None, max_nodes: int) -> Graph:
    """The API-format graph of a document, as it is run.

    Raises:
        AppError: 422 `invalid_workflow`, `workflow_format_ui`.
    """
    graph = converted(document, object_info).graph if is_ui(document) else document
    check_structure(graph, max_nodes)
    return graph


def converted(document: Graph, object_info: ObjectInfo | None) -> Taken:
    """The graph of an editor's file, and remarks.

    Raises:
        AppError: 422 `invalid_workflow`; `workflow_format_ui` where nothing says what its nodes are.
    """
    if object_info is None:
        raise AppError(
            422,
            "workflow_format_ui",
            "This is a workflow as the ComfyUI editor saves it, and no worker has said yet which nodes "
            "its environment has. Start one; or export it with Workflow > Export (API).",
        )
    try:
        made = convert(document, with_declared_classes(document, object_info))
    except ConversionRefusedError as error:
        details: dict[str, Any] = {"reason": error.code, **error.details}
        if error.code == "missing_nodes":
            details["missing"] = _missing_classes(details["missing"], object_info, document)
        raise AppError(422, "invalid_workflow", error.message, details=details) from error
    if not made.graph:
        raise AppError(
            422,
            "workflow_format_ui",
            "No node of this workflow saves or shows anything, so there is nothing to run. It is as the "
            "ComfyUI editor saves it: look at it there, or export it with Workflow > Export (API).",
        )
    return Taken(made.graph, None, [_remark(note.message, note.node_ids) for note in made.notes])


def bindings_of(
    taken: Taken,
    given: Bindings | None,
    object_info: ObjectInfo | None,
    environment: Environment | None,
) -> tuple[Graph, Bindings]:
    """What the workflow takes and gives: as the caller says, else as proposed from the graph.

    Returns:
        the graph without the nodes that merely said so, and the bindings

    Raises:
        AppError: 422 `invalid_bindings`, `invalid_workflow`.
    """
    if given is None:
        proposed = propose_workflow(taken.graph, object_info, taken.source)
        graph, bindings = proposed.graph, proposed.bindings
    else:
        graph, bindings = unwrap_annotations(taken.graph, object_info).graph, given
    faults = check(bindings, graph, object_info)
    if faults:
        raise invalid_bindings(
            [{"field": f.name, "reason": f.code, "message": f.message} for f in faults]
        )
    _check(replace(taken, graph=graph), bindings, object_info, environment)
    return graph, bindings


def missing_models(graph: Graph, source: Graph | None, object_info: ObjectInfo | None) -> list[str]:
    """A sentence for each model file that no machine of the environment had; it may come yet."""
    if object_info is None:
        return []
    found = missing(graph, object_info, sources_of_workflow(source or {}))
    return [
        f"There is no model {each.name!r} here. {each.where}"
        for each in found
        if each.kind == "model"
    ]


def invalid_bindings(errors: list[dict[str, Any]]) -> AppError:
    """422 with every problem: `{"field", "reason", "message"}`."""
    first = errors[0]
    more = f" And {len(errors) - 1} more, see details." if len(errors) > 1 else ""
    return AppError(
        422,
        "invalid_bindings",
        f"{first['field']}: {first['message']}{more}",
        details={"errors": errors},
    )


def _check(
    taken: Taken,
    bindings: Bindings,
    object_info: ObjectInfo | None,
    environment: Environment | None,
) -> None:
    """Refuse what no value of a caller could make run, every node named."""
    graph, errors = taken.graph, NodeErrors()
    check_paths(graph, object_info, errors)
    validate(graph, object_info, errors)
    given = {(t.node_id, t.input) for each in bindings.inputs for t in each.targets}
    left = NodeErrors()
    for node_id, problems in errors.items():
        for problem in problems:
            if (node_id, problem["field"]) not in given:
                left.add(node_id, problem["field"], problem["reason"], problem["message"])
    if not left:
        return
    refusal = invalid_workflow(summary(graph, left, environment), left)
    if any(p["reason"] == "missing_node" for problems in left.values() for p in problems):
        found = missing(graph, object_info or {}, sources_of_workflow(taken.source or {}))
        nodes = [asdict(each) for each in found if each.kind == "node"]
        refusal.details = {**(refusal.details or {}), "missing": nodes}
    raise refusal


def _missing_classes(
    named: list[dict[str, Any]], object_info: ObjectInfo, document: Graph
) -> list[dict[str, Any]]:
    """Every class that is absent, who needs it, and where the file says that it is to be had."""
    nodes: Graph = {
        node_id: {"class_type": each["class_type"], "inputs": {}}
        for each in named
        for node_id in each["node_ids"]
    }
    return [asdict(m) for m in missing(nodes, object_info, sources_of_workflow(document))]


def _remark(message: str, node_ids: tuple[str, ...]) -> str:
    return f"{message} Nodes: {', '.join(node_ids)}." if node_ids else message


def _check_size(what: str, value: Graph, max_bytes: int) -> None:
    size_bytes = len(orjson.dumps(value))
    if size_bytes > max_bytes:
        raise AppError(
            422,
            "workflow_too_large",
            f"The {what} of the workflow has {size_bytes} bytes; at most {max_bytes} are kept.",
            details={"size_bytes": size_bytes, "max_bytes": max_bytes},
        )
