"""The graph as it is sent: every output file ours to find and delete, none a silent repeat."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from gpu_functions.comfyui.lenient import as_dict
from gpu_functions.contract import Graph, Json

_NONCE = "_comfyburst"
"""ComfyUI hands unknown inputs to no node, but counts them in its cache key."""


def own_outputs(graph: Graph, folder: str, output_classes: AbstractSet[str]) -> Graph:
    """A graph whose output nodes write below `folder`, keeping the basename the user chose.

    A cached output node would only repeat the names of files that are deleted by now
    (facts/comfyui-protocol.md §3), so those without a prefix get a nonce. Nodes that stay as they
    are, nearly all, are shared with `graph`, which is left as it was.
    """
    return {
        node_id: node | {"inputs": as_dict(node.get("inputs")) | ours}
        if (ours := _own_inputs(as_dict(node), folder, output_classes))
        else node
        for node_id, node in graph.items()
    }


def _own_inputs(node: Json, folder: str, output_classes: AbstractSet[str]) -> Json:
    prefix = as_dict(node.get("inputs")).get("filename_prefix")
    if isinstance(prefix, str):
        return {"filename_prefix": f"{folder}/{_basename(prefix)}"}
    return {_NONCE: folder} if node.get("class_type") in output_classes else {}


def _basename(prefix: str) -> str:
    name = prefix.replace("\\", "/").rpartition("/")[2].strip()
    return "ComfyUI" if name in ("", ".", "..") else name


def output_classes(object_info: Mapping[str, object]) -> frozenset[str]:
    """The node classes that end a graph."""
    return frozenset(
        name for name, info in object_info.items() if as_dict(info).get("output_node") is True
    )
