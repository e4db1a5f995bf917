"""The graph as it is sent: every output file ours to find and delete, none a silent repeat."""

import copy
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from gpu_functions.comfyui.lenient import as_dict
from gpu_functions.contract import Graph

_NONCE = "_comfyburst"
"""ComfyUI hands unknown inputs to no node, but counts them in its cache key."""


def own_outputs(graph: Graph, folder: str, output_classes: AbstractSet[str]) -> Graph:
    """A copy whose output nodes write below `folder`, keeping the basename the user chose.

    A cached output node would only repeat the names of files that are deleted by now
    (facts/comfyui-protocol.md §3), so those without a prefix get a nonce.
    """
    owned = copy.deepcopy(graph)
    for node in owned.values():
        inputs = as_dict(as_dict(node).get("inputs"))
        prefix = inputs.get("filename_prefix")
        if isinstance(prefix, str):
            inputs["filename_prefix"] = f"{folder}/{_basename(prefix)}"
        elif as_dict(node).get("class_type") in output_classes:
            inputs[_NONCE] = folder
    return owned


def _basename(prefix: str) -> str:
    name = prefix.replace("\\", "/").rpartition("/")[2].strip()
    return "ComfyUI" if name in ("", ".", "..") else name


def output_classes(object_info: Mapping[str, object]) -> frozenset[str]:
    """The node classes that end a graph."""
    return frozenset(
        name for name, info in object_info.items() if as_dict(info).get("output_node") is True
    )
