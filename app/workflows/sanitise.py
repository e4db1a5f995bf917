"""Closes the doors through which a graph can kill or deceive ComfyUI. Pure.

A zombie is made by an unreachable node without inputs, an unknown input that links to an absent
node, and more (facts/comfyui-protocol.md §4, §6); a file input can name other people's files
(facts/security.md §4). What is kept here is what is stored and executed.
"""

import re
from collections.abc import Mapping
from typing import Any

from app.workflows.dynamic_inputs import specs_given
from app.workflows.graph import Graph, NodeErrors, is_link, link_of
from app.workflows.object_info import input_specs, is_output_node

_ANNOTATION = re.compile(r"\[(output|temp|input)\]\s*$", re.IGNORECASE)
_DRIVE_OR_UNC = re.compile(r"^([A-Za-z]:|\\\\|//)")


def reachable_nodes(graph: Graph, object_info: Mapping[str, Any]) -> set[str]:
    """The nodes that feed an output node; all, where no output node is known."""
    todo = [
        node_id
        for node_id, node in graph.items()
        if is_output_node(object_info.get(node["class_type"]) or {})
    ]
    seen: set[str] = set()
    while todo:
        node_id = todo.pop()
        if node_id in seen or node_id not in graph:
            continue
        seen.add(node_id)
        todo.extend(
            link_of(value).node_id for value in graph[node_id]["inputs"].values() if is_link(value)
        )
    return seen or set(graph)


def sanitised(graph: Graph, object_info: Mapping[str, Any] | None) -> Graph:
    """The graph that is stored: known fields of reachable nodes with known inputs.

    Args:
        graph: checked by `check_structure` and `validate`
        object_info: of the environment, or None where none is known: then nodes are kept as given
    """
    if object_info is None:
        return {node_id: _node(node, node["inputs"]) for node_id, node in graph.items()}
    keep = reachable_nodes(graph, object_info)
    return {
        node_id: _node(node, _known_inputs(node, object_info))
        for node_id, node in graph.items()
        if node_id in keep
    }


def _node(node: Graph, inputs: Graph) -> Graph:
    kept: Graph = {"class_type": node["class_type"], "inputs": inputs}
    if isinstance(node.get("_meta"), dict):
        kept["_meta"] = node["_meta"]
    return kept


def _known_inputs(node: Graph, object_info: Mapping[str, Any]) -> Graph:
    known = {spec.name for spec in input_specs(object_info[node["class_type"]])}
    return {
        name: value
        for name, value in node["inputs"].items()
        # Dotted names belong to dynamic inputs, which object_info does not list.
        if name in known or name.partition(".")[0] in known
    }


def path_problem(value: str) -> str | None:
    """Why a file input's value would reach outside the job's own files, or None."""
    if _ANNOTATION.search(value):
        return "Folder annotations such as [output] are not taken: name an uploaded asset."
    if value.startswith("/") or _DRIVE_OR_UNC.match(value):
        return "Absolute paths are not taken: name an uploaded asset."
    if ".." in value.replace("\\", "/").split("/"):
        return "Paths with '..' are not taken: name an uploaded asset."
    return None


def check_paths(graph: Graph, object_info: Mapping[str, Any] | None, errors: NodeErrors) -> None:
    """Note every file input that would reach outside."""
    for node_id, node in graph.items():
        specs = {
            spec.name: spec
            for spec in specs_given(
                (object_info or {}).get(node["class_type"]) or {}, node["inputs"]
            )
        }
        for name, value in node["inputs"].items():
            if not isinstance(value, str):
                continue
            spec = specs.get(name)
            if spec is None or spec.is_upload or spec.is_model_file or name == "filename_prefix":
                problem = path_problem(value) if _names_file(name, spec is not None) else None
                if problem:
                    errors.add(node_id, name, "path_not_allowed", problem)


def _names_file(name: str, known: bool) -> bool:  # noqa: FBT001 - private, read above
    # Without object_info nothing says which inputs are files; texts must stay free.
    return known or name in {"image", "audio", "video", "file", "mask", "filename_prefix"}
