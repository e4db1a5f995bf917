"""The shape of an API-format graph, and what is not one. Pure.

A graph is `{node_id: {"class_type": str, "inputs": {name: value | [node_id, slot]}, "_meta"?}}`.
"""

from typing import Any, NamedTuple, TypeGuard, cast

from app.errors import AppError

Graph = dict[str, Any]
Problem = dict[str, str]
"""`{"field": input name, "reason": stable code, "message": sentence}`, as v2's `node_errors` hold."""

MAX_NODE_ID_LENGTH = 200


class Link(NamedTuple):
    """An input fed by another node's output."""

    node_id: str
    slot: int


class NodeErrors(dict[str, list[Problem]]):
    """Problems by node id; empty means none."""

    def add(self, node_id: str, field: str, reason: str, message: str) -> None:
        """Note one problem."""
        self.setdefault(node_id, []).append({"field": field, "reason": reason, "message": message})


def is_link(value: Any) -> TypeGuard[list[Any]]:
    """Whether ComfyUI would read this as a link: any list of two whose first is a string."""
    if not isinstance(value, list):
        return False
    items = cast(list[Any], value)
    return len(items) == 2 and isinstance(items[0], str) and _is_slot(items[1])


def _is_slot(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def link_of(value: list[Any]) -> Link:
    """The link in a list that `is_link`."""
    return Link(value[0], value[1])


def links(node: Graph) -> list[tuple[str, Link]]:
    """All links of a node, by input name."""
    inputs: Graph = node["inputs"]
    return [(name, link_of(value)) for name, value in inputs.items() if is_link(value)]


def check_structure(workflow: Graph, max_nodes: int) -> None:
    """Refuse what is not an API-format graph.

    Raises:
        AppError: 422 `workflow_format_ui` or `invalid_workflow`.
    """
    if isinstance(workflow.get("nodes"), list) and "links" in workflow:
        raise AppError(
            422,
            "workflow_format_ui",
            "This is a workflow as the ComfyUI editor saves it. Export it with "
            "Workflow > Export (API) and submit that file.",
        )
    if not workflow:
        raise invalid_workflow("The workflow has no nodes.", NodeErrors())
    if len(workflow) > max_nodes:
        raise invalid_workflow(
            f"The workflow has {len(workflow)} nodes; at most {max_nodes} are taken.", NodeErrors()
        )
    errors = NodeErrors()
    for node_id, node in workflow.items():
        _check_node(node_id, node, errors)
    if errors:
        raise invalid_workflow("The workflow is not an API-format graph.", errors)


def _check_node(node_id: str, node: Any, errors: NodeErrors) -> None:
    if len(node_id) > MAX_NODE_ID_LENGTH:
        errors.add(node_id[:40], "", "invalid_node_id", "Node ids end at 200 characters.")
    elif not isinstance(node, dict):
        errors.add(node_id, "", "invalid_node", "A node must be an object.")
    elif not isinstance(cast(Graph, node).get("class_type"), str):
        errors.add(node_id, "class_type", "missing_class_type", "A node needs a class_type.")
    elif not isinstance(cast(Graph, node).get("inputs"), dict):
        errors.add(node_id, "inputs", "missing_inputs", "A node needs an object of inputs.")


def invalid_workflow(message: str, errors: NodeErrors) -> AppError:
    """422 `invalid_workflow` with every node's problems."""
    return AppError(
        422, "invalid_workflow", message, details={"node_errors": dict(errors)} if errors else None
    )
