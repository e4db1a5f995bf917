"""Holds a graph against an environment's object_info: every problem at once, before money is spent. Pure.

The rules are ComfyUI's (facts/comfyui-protocol.md §1), except that upload and model-file combos are
checked by type and never by membership: the file may arrive with the job, the model live elsewhere.
"""

from collections.abc import Mapping
from typing import Any

from app.workflows.dynamic_inputs import specs_given
from app.workflows.graph import Graph, NodeErrors, is_link, link_of, links
from app.workflows.object_info import (
    InputSpec,
    is_output_node,
    output_types,
    types_match,
)

MAX_CHOICES_SHOWN = 20


def validate(graph: Graph, object_info: Mapping[str, Any] | None, errors: NodeErrors) -> None:
    """Note every problem of the graph; without object_info only those of its structure."""
    cycle = find_cycle(graph)
    if cycle:
        errors.add(cycle[0], "", "cycle", f"The nodes {' → '.join(cycle)} feed each other.")
    for node_id, node in graph.items():
        _check_links(node_id, node, graph, errors)
    if object_info is None:
        return
    unknown = {i for i, n in graph.items() if n["class_type"] not in object_info}
    for node_id in unknown:
        name = graph[node_id]["class_type"]
        errors.add(node_id, "class_type", "missing_node", f"There is no node {name!r} here.")
    if not unknown and not any(
        is_output_node(object_info[n["class_type"]]) for n in graph.values()
    ):
        errors.add(
            next(iter(graph)), "", "no_outputs", "No node of the graph saves or shows anything."
        )
    for node_id, node in graph.items():
        if node_id not in unknown:
            _check_inputs(node_id, node, graph, object_info, errors)


def find_cycle(graph: Graph) -> list[str] | None:
    """The nodes of a cycle, first one repeated at the end; iterative, for graphs of any length."""
    state: dict[str, int] = {}  # 1: on the path, 2: done
    for root in graph:
        path: list[str] = []
        todo: list[tuple[str, bool]] = [(root, False)]
        while todo:
            node_id, leaving = todo.pop()
            if leaving:
                state[node_id] = 2
                path.pop()
            elif state.get(node_id) == 1:
                return [*path[path.index(node_id) :], node_id]
            elif node_id not in state and node_id in graph:
                state[node_id] = 1
                path.append(node_id)
                todo.append((node_id, True))
                todo.extend((link.node_id, False) for _, link in links(graph[node_id]))
    return None


def _check_links(node_id: str, node: Graph, graph: Graph, errors: NodeErrors) -> None:
    for name, link in links(node):
        if link.node_id not in graph:
            errors.add(
                node_id, name, "missing_link", f"Linked to node {link.node_id!r}, which is absent."
            )
        elif link.slot < 0:
            errors.add(node_id, name, "bad_link", "Output slots count from 0.")


def _check_inputs(
    node_id: str, node: Graph, graph: Graph, object_info: Mapping[str, Any], errors: NodeErrors
) -> None:
    inputs: Graph = node["inputs"]
    for spec in specs_given(object_info[node["class_type"]], inputs):
        if spec.name not in inputs:
            if spec.required:
                errors.add(
                    node_id, spec.name, "missing_input", f"Required input {spec.name!r} is missing."
                )
        elif is_link(inputs[spec.name]):
            _check_link_type(node_id, spec, inputs[spec.name], graph, object_info, errors)
        else:
            _check_value(node_id, spec, inputs[spec.name], errors)


def _check_link_type(
    node_id: str,
    spec: InputSpec,
    value: list[Any],
    graph: Graph,
    object_info: Mapping[str, Any],
    errors: NodeErrors,
) -> None:
    link = link_of(value)
    source = object_info.get(graph.get(link.node_id, {}).get("class_type", ""))
    if source is None or link.slot < 0:
        return  # said already: absent, unknown, or no slot at all
    types = output_types(source)
    if link.slot >= len(types):
        errors.add(
            node_id,
            spec.name,
            "bad_link",
            f"Node {link.node_id!r} has {len(types)} outputs; slot {link.slot} is not one of them.",
        )
    elif not types_match(types[link.slot], spec.type):
        errors.add(
            node_id,
            spec.name,
            "type_mismatch",
            f"Wants {spec.type}, but output {link.slot} of node {link.node_id!r} is {types[link.slot]}.",
        )


def _check_value(node_id: str, spec: InputSpec, value: Any, errors: NodeErrors) -> None:
    match spec.type:
        case "INT" | "FLOAT":
            _check_number(node_id, spec, value, errors)
        case "COMBO":
            _check_choice(node_id, spec, value, errors)
        case "STRING":
            if isinstance(value, (dict, list)):
                errors.add(node_id, spec.name, "invalid_type", f"{spec.name!r} must be a text.")
        case "BOOLEAN":
            if not isinstance(value, (bool, int)):
                errors.add(
                    node_id, spec.name, "invalid_type", f"{spec.name!r} must be true or false."
                )
        case _:
            pass  # a custom type with a widget of its own: only ComfyUI knows


def _check_number(node_id: str, spec: InputSpec, value: Any, errors: NodeErrors) -> None:
    try:
        number = float(value)  # ComfyUI converts "64" as well
    except (TypeError, ValueError):
        errors.add(node_id, spec.name, "invalid_type", f"{spec.name!r} must be a number.")
        return
    low, high = spec.options.get("min"), spec.options.get("max")
    if isinstance(low, (int, float)) and number < low:
        errors.add(node_id, spec.name, "too_small", f"{value} is below the minimum of {low}.")
    if isinstance(high, (int, float)) and number > high:
        errors.add(node_id, spec.name, "too_large", f"{value} is above the maximum of {high}.")


def _check_choice(node_id: str, spec: InputSpec, value: Any, errors: NodeErrors) -> None:
    if spec.is_upload or spec.is_model_file:
        if not isinstance(value, str):
            errors.add(node_id, spec.name, "invalid_type", f"{spec.name!r} must name a file.")
    elif spec.choices and value not in spec.choices and not isinstance(value, list):
        shown = ", ".join(map(str, spec.choices[:MAX_CHOICES_SHOWN]))
        more = " …" if len(spec.choices) > MAX_CHOICES_SHOWN else ""
        errors.add(node_id, spec.name, "not_in_list", f"{value!r} is not one of: {shown}{more}")
