"""Nodes that no object_info knows: all of them named at once, with the pack that the file names. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypedDict

from app.workflows.convert.document import UiNode
from app.workflows.convert.expand import Scope
from app.workflows.convert.refusal import ConversionRefusedError

MAX_NAMES_SHOWN: Final = 12
MAX_IDS_SHOWN: Final = 20


class MissingClass(TypedDict):
    """A class that is absent, who needs it, and what the file says about its pack."""

    class_type: str
    node_ids: list[str]
    pack: str | None
    version: str | None


def refuse_missing(nodes: Iterable[tuple[Scope, UiNode]], object_info: Mapping[str, Any]) -> None:
    """Refuse what cannot run.

    Args:
        nodes: all that run
        object_info: of the ComfyUI that is to run them

    Raises:
        ConversionRefusedError: `missing_nodes`, with a `MissingClass` for each.
    """
    missing: dict[str, MissingClass] = {}
    for scope, node in nodes:
        if isinstance(object_info.get(node.type), Mapping):
            continue
        found = missing.setdefault(node.type, _missing(node))
        if len(found["node_ids"]) < MAX_IDS_SHOWN:
            found["node_ids"].append(scope.id_of(node))
    if not missing:
        return
    shown = ", ".join(sorted(missing)[:MAX_NAMES_SHOWN])
    more = f" and {len(missing) - MAX_NAMES_SHOWN} more" if len(missing) > MAX_NAMES_SHOWN else ""
    raise ConversionRefusedError(
        "missing_nodes",
        f"Nodes that this ComfyUI does not have: {shown}{more}. Install the packs they come from, "
        "or a newer ComfyUI.",
        {"missing": list(missing.values())},
    )


def _missing(node: UiNode) -> MissingClass:
    pack = node.properties.get("cnr_id") or node.properties.get("aux_id")
    version = node.properties.get("ver")
    return {
        "class_type": node.type,
        "node_ids": [],
        "pack": pack if isinstance(pack, str) else None,
        "version": version if isinstance(version, str) else None,
    }
