"""`-i NODE.INPUT=VALUE`: finds the node, gives the value the type of what stands there."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

Graph = dict[str, dict[str, Any]]
Upload = Callable[[Path], dict[str, Any]]
"""Makes an asset of a file and returns the handle that stands for it in a graph."""


class InputError(Exception):
    """What the user wrote cannot be applied, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """`target=value`, or `target:=value` where the value is JSON as it stands."""

    target: str
    value: str
    is_json: bool

    @classmethod
    def parse(cls, text: str) -> "Assignment":
        """Split at the first `=`.

        Raises:
            InputError: there is no `=`, or no dot before it.
        """
        target, equals, value = text.partition("=")
        is_json = target.endswith(":")
        target = target.removesuffix(":")
        if not equals or "." not in target.strip("."):
            raise InputError(f"{text!r} is not NODE.INPUT=VALUE, as in 6.text='a cat'")
        return cls(target, value, is_json)


def load_graph(path: Path) -> Graph:
    """Read an API-format workflow.

    Raises:
        InputError: it is not one; for a file as the editor saves it, says how to export.
    """
    try:
        loaded: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    if isinstance(loaded, dict) and {"nodes", "links"} <= set(cast("dict[str, Any]", loaded)):
        raise InputError(
            f"{path} is a workflow as the editor saves it. In ComfyUI: Workflow > Export (API)."
        )
    if not isinstance(loaded, dict) or not loaded:
        raise InputError(f"{path} holds no workflow: an object of nodes was expected")
    graph = cast("dict[str, Any]", loaded)
    for node_id, node in graph.items():
        if not isinstance(node, dict) or "class_type" not in node:
            raise InputError(f"{path}: node {node_id!r} has no class_type")
        cast("dict[str, Any]", node).setdefault("inputs", {})
    return graph


def apply(graph: Graph, assignments: Sequence[str], upload: Upload) -> None:
    """Write every assignment into the graph; `@file` is uploaded.

    Raises:
        InputError: a target is not there or not unique, or a value has the wrong type.
    """
    for text in assignments:
        assignment = Assignment.parse(text)
        node_id, name = _locate(graph, assignment)
        inputs = graph[node_id]["inputs"]
        inputs[name] = _value(assignment, inputs.get(name), upload)


def title_of(graph: Graph, node_id: str) -> str:
    """What a person calls a node: its title, else its class."""
    node = graph.get(node_id, {})
    meta = node.get("_meta")
    title = cast("dict[str, Any]", meta).get("title") if isinstance(meta, dict) else None
    return str(title or node.get("class_type") or node_id)


def _locate(graph: Graph, assignment: Assignment) -> tuple[str, str]:
    """Titles and inputs may hold dots: the first split that names both wins."""
    target = assignment.target
    splits = [(target[:i], target[i + 1 :]) for i, c in enumerate(target) if c == "."]
    partial: tuple[str, str] | None = None
    for node, name in splits:
        node_id = _find(graph, node)
        if node_id is None or not name:
            continue
        if name in graph[node_id]["inputs"]:
            return node_id, name
        partial = partial or (node_id, name)
    if partial is None:
        raise InputError(f"no node is called {splits[0][0]!r}; there are: {_nodes(graph)}")
    if assignment.is_json:
        return partial
    node_id, name = partial
    known = ", ".join(graph[node_id]["inputs"]) or "none"
    raise InputError(
        f"node {node_id} ({title_of(graph, node_id)}) has no input {name!r}; it has: {known}. "
        f"To add one: {node_id}.{name}:=JSON"
    )


def _find(graph: Graph, name: str) -> str | None:
    """By id, else by title, else by class; None when there is none.

    Raises:
        InputError: several nodes are called so.
    """
    if name in graph:
        return name
    by_title = [i for i in graph if title_of(graph, i) == name]
    found = by_title or [i for i, node in graph.items() if node["class_type"] == name]
    if len(found) > 1:
        raise InputError(f"{name!r} is the name of several nodes; say which: {', '.join(found)}")
    return found[0] if found else None


def _nodes(graph: Graph) -> str:
    return ", ".join(f"{node_id} ({title_of(graph, node_id)})" for node_id in graph)


def _value(assignment: Assignment, existing: object, upload: Upload) -> object:
    if assignment.is_json:
        return _json(assignment)
    if assignment.value.startswith("@@"):
        return assignment.value[1:]
    if assignment.value.startswith("@"):
        return _uploaded(assignment, upload)
    if isinstance(existing, str):
        return assignment.value
    if _is_link(existing):
        raise InputError(
            f"{assignment.target} is the output of another node; to cut that link write "
            f"{assignment.target}:=JSON"
        )
    value = _json(assignment)
    if not _fits(value, existing):
        raise InputError(
            f"{assignment.target} holds {json.dumps(existing)}; {assignment.value!r} is not a "
            f"{'yes or no (true, false)' if isinstance(existing, bool) else 'number'}"
        )
    return value


def _is_link(existing: object) -> bool:
    return isinstance(existing, list) and len(cast("list[object]", existing)) == 2


def _json(assignment: Assignment) -> object:
    try:
        value: object = json.loads(assignment.value, parse_constant=_refuse)
    except ValueError as error:
        raise InputError(
            f"{assignment.target}: {assignment.value!r} is neither a number, true or false, nor "
            "other JSON"
        ) from error
    return value


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")


def _fits(value: object, existing: object) -> bool:
    if isinstance(existing, bool):
        return isinstance(value, bool)
    if isinstance(existing, int | float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return True


def _uploaded(assignment: Assignment, upload: Upload) -> dict[str, Any]:
    path = Path(assignment.value[1:]).expanduser()
    if not path.is_file():
        raise InputError(
            f"{assignment.target}: there is no file {str(path)!r} (a text that begins with @ is "
            "written @@)"
        )
    return upload(path)
