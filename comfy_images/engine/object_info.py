"""A node class as /object_info shows it, key for key as ComfyUI 0.8.0."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from comfy_images.engine.node_type import JsonObject, NodeType


def describe(node_type: NodeType) -> JsonObject:
    """The entry of one class."""
    inputs = node_type.input_types()
    implementation = node_type.implementation
    returns = list(node_type.return_types)
    entry: JsonObject = {
        "input": inputs,
        "input_order": {group: list(names) for group, names in inputs.items()},
        "output": returns,
        "output_is_list": list(node_type.output_is_list),
        "output_name": list(getattr(implementation, "RETURN_NAMES", None) or returns),
        "name": node_type.name,
        "display_name": node_type.display_name,
        "description": getattr(implementation, "DESCRIPTION", ""),
        "python_module": node_type.python_module,
        "category": getattr(implementation, "CATEGORY", "sd"),
        "output_node": node_type.is_output,
    }
    tooltips = getattr(implementation, "OUTPUT_TOOLTIPS", None)
    if tooltips is not None:
        entry["output_tooltips"] = list(tooltips)
    marks = {
        "deprecated": bool(getattr(implementation, "DEPRECATED", False)),
        "experimental": bool(getattr(implementation, "EXPERIMENTAL", False)),
    }
    if node_type.version > 1:
        entry |= {
            "output_tooltips": [None] * len(returns),
            "output_matchtypes": getattr(implementation, "OUTPUT_MATCHTYPES", None),
            **marks,
            "api_node": False,
        }
    else:
        entry |= {mark: True for mark, is_set in marks.items() if is_set}
    return entry
