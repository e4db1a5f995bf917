"""Classes of the nodes by which other products mark inputs and outputs, read out of the file itself. Pure.

They are not installed here and never need to be: `unwrap_annotations` takes their nodes out of the graph. But
to make a graph of an editor's file its nodes must be known, and editors since 1.16 write beside each node
which inputs and widgets it has.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

_PREFIXES: Final = (
    "ComfyUIDeployExternal",
    "ComfyDeployOutput",
    "ComfyDeployWebscoketImage",
    "CPackInput",
    "CPackOutput",
)

Json = Mapping[str, Any]


def with_declared_classes(document: Json, object_info: Json) -> Json:
    """object_info with the classes that the file declares; what the environment has itself counts.

    Args:
        document: as the editor saves it
        object_info: of the environment
    """
    declared: dict[str, Any] = {}
    for node in _nodes(document):
        kind = node.get("type")
        if isinstance(kind, str) and kind.startswith(_PREFIXES) and kind not in object_info:
            made = _class_of(node, is_output="Output" in kind)
            if made is not None:
                declared.setdefault(kind, made)
    return {**object_info, **declared} if declared else object_info


def _class_of(node: Json, *, is_output: bool) -> dict[str, Any] | None:
    """None where the file, of an older editor, holds values and does not say whose."""
    slots = [slot for slot in _objects(node.get("inputs")) if isinstance(slot.get("name"), str)]
    has_widgets = any(isinstance(slot.get("widget"), dict) for slot in slots)
    if node.get("widgets_values") and not has_widgets:
        return None
    return {
        "input": {"optional": {slot["name"]: [_type(slot), {}] for slot in slots}},
        "output": [_type(slot) for slot in _objects(node.get("outputs"))],
        "output_node": is_output,
    }


def _type(slot: Json) -> str:
    kind = slot.get("type")
    return kind if isinstance(kind, str) else "*"


def _nodes(document: Json) -> Iterator[Json]:
    """Of the workflow and of its subgraphs' definitions."""
    yield from _objects(document.get("nodes"))
    definitions = document.get("definitions")
    if isinstance(definitions, dict):
        for subgraph in _objects(cast(Json, definitions).get("subgraphs")):
            yield from _objects(subgraph.get("nodes"))


def _objects(value: Any) -> list[Json]:
    items = cast(list[Any], value) if isinstance(value, list) else []
    return [cast(Json, item) for item in items if isinstance(item, dict)]
