"""The one sentence that the owner of a refused graph reads first; the details name every node. Pure."""

from app.workflows.environments.repository import Environment
from app.workflows.graph import Graph, NodeErrors

MAX_NODES_SHOWN = 12


def summary(graph: Graph, errors: NodeErrors, environment: Environment | None) -> str:
    """What is wrong, and what to do about it.

    Args:
        graph: as it was checked
        errors: at least one
        environment: what it was checked against; without one no node class can be missing
    """
    unknown = sorted(
        {
            str(graph[node_id]["class_type"])
            for node_id, problems in errors.items()
            if node_id in graph and any(p["reason"] == "missing_node" for p in problems)
        }
    )
    if unknown and environment is not None:
        return _missing_nodes(unknown, environment)
    node_id, problems = next(iter(errors.items()))
    class_type = graph[node_id]["class_type"] if node_id in graph else "node"
    more = sum(map(len, errors.values())) - 1
    rest = f" And {more} more, see details." if more else ""
    return f"Node {node_id} ({class_type}): {problems[0]['message']}{rest}"


def _missing_nodes(names: list[str], environment: Environment) -> str:
    shown = ", ".join(names[:MAX_NODES_SHOWN])
    more = f" and {len(names) - MAX_NODES_SHOWN} more" if len(names) > MAX_NODES_SHOWN else ""
    if environment.is_engine:
        return (
            f"Nodes that the embedded engine does not have: {shown}{more}. The engine does the work "
            "here and is not ComfyUI. For a real one run `./dev comfy` and start `./dev` again, or "
            "name yours by COMFYUI_DIR or COMFYUI_URL."
        )
    return (
        f"Nodes that ComfyUI {environment.comfyui_version} does not have here: {shown}{more}. "
        "Install the packs they come from, or a newer ComfyUI, and start it again; or name "
        "another one by COMFYUI_DIR or COMFYUI_URL."
    )
