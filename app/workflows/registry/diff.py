"""What is different between two versions: nodes, their inputs, and what callers may give. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel

from app.workflows.registry.models import Content, JsonObject

Json = Mapping[str, Any]


def difference(old: Content, new: Content) -> JsonObject:
    """Everything that was added, removed or changed on the way from `old` to `new`.

    Returns:
        `nodes`, `inputs` and `outputs`, each with `added`, `removed` and `changed`; `environment`
        with `from` and `to`, null where it is the same; `is_same`.
    """
    found: JsonObject = {
        "nodes": _nodes(old.graph, new.graph),
        "inputs": _named(old.bindings.inputs, new.bindings.inputs),
        "outputs": _named(old.bindings.outputs, new.bindings.outputs),
        "environment": _changed(old.environment, new.environment),
    }
    parts = [found[name] for name in ("nodes", "inputs", "outputs")]
    same = found["environment"] is None and not any(any(part.values()) for part in parts)
    return {"is_same": same, **found}


def _nodes(old: Json, new: Json) -> JsonObject:
    return {
        "added": [_node(i, new[i]) for i in new if i not in old],
        "removed": [_node(i, old[i]) for i in old if i not in new],
        "changed": [
            {**_node(i, new[i]), **change}
            for i in new
            if i in old and (change := _node_change(old[i], new[i]))
        ],
    }


def _node(node_id: str, node: Json) -> JsonObject:
    return {"node_id": node_id, "class_type": node["class_type"], "title": _title(node)}


def _title(node: Json) -> str | None:
    meta = node.get("_meta")
    title = cast(Json, meta).get("title") if isinstance(meta, dict) else None
    return title if isinstance(title, str) else None


def _node_change(old: Json, new: Json) -> JsonObject:
    changes: JsonObject = {}
    if old["class_type"] != new["class_type"]:
        changes["class_type_before"] = old["class_type"]
    if _title(old) != _title(new):
        changes["title_before"] = _title(old)
    fields = _fields(old["inputs"], new["inputs"])
    if fields:
        changes["fields"] = fields
    return changes


def _named(old: Sequence[BaseModel], new: Sequence[BaseModel]) -> JsonObject:
    before, after = _by_name(old), _by_name(new)
    return {
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
        "changed": [
            {"name": name, "fields": fields}
            for name in after
            if name in before and (fields := _fields(before[name], after[name]))
        ],
    }


def _by_name(bindings: Sequence[BaseModel]) -> dict[str, JsonObject]:
    dumped = [binding.model_dump(mode="json") for binding in bindings]
    return {each["name"]: each for each in dumped}


def _fields(old: Json, new: Json) -> list[JsonObject]:
    """Fields whose value differs; one that is not there has no `from`, or no `to`."""
    changes: list[JsonObject] = []
    for name in dict.fromkeys([*old, *new]):
        if name in old and name in new and _same(old[name], new[name]):
            continue
        change: JsonObject = {"field": name}
        if name in old:
            change["from"] = old[name]
        if name in new:
            change["to"] = new[name]
        changes.append(change)
    return changes


def _changed(old: Any, new: Any) -> JsonObject | None:
    return None if _same(old, new) else {"from": old, "to": new}


def _same(old: Any, new: Any) -> bool:
    # True equals 1 in Python, and 1 equals 1.0; to a node they are different.
    return type(old) is type(new) and old == new
