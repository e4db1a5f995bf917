"""Remembers node results from one prompt to the next, and no longer: ComfyUI's classic cache.

A key covers the class and inputs of the whole ancestry; node ids and extra_data do not matter
(sheet §3).
"""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from comfy_images.engine.graph import ancestors_first, links

if TYPE_CHECKING:
    from comfy_images.engine.graph import Prompt
    from comfy_images.engine.node_type import JsonObject, NodeType
    from comfy_images.engine.registry import NodeRegistry


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What a node returned: its output slots, each a list of values, and what it shows the user."""

    slots: list[list[Any]]
    ui: JsonObject | None


@dataclass(slots=True)
class ResultCache:
    """Results by key."""

    results: dict[str, NodeResult] = field(default_factory=dict[str, NodeResult])

    def keep_only(self, keys: set[str]) -> None:
        self.results = {key: value for key, value in self.results.items() if key in keys}

    def clear(self) -> None:
        self.results.clear()


def cache_keys(prompt: Prompt, registry: NodeRegistry, outputs: list[str]) -> dict[str, str]:
    """The key of every node that `outputs` need.

    Writes what IS_CHANGED answered into the nodes as `is_changed`, where PNG metadata shows it.
    """
    keys: dict[str, str] = {}
    for node_id in ancestors_first(prompt, registry, outputs):
        node = prompt[node_id]
        node_type = registry[node["class_type"]]
        inputs: JsonObject = dict(node["inputs"])
        for name, source, slot in links(prompt, registry, node_id):
            inputs[name] = {"key": keys[source], "slot": slot}
        own_id = node_id if "UNIQUE_ID" in node_type.hidden().values() else None
        parts = [node["class_type"], own_id, _change_mark(node, node_type), inputs]
        text = json.dumps(parts, sort_keys=True, default=repr)
        keys[node_id] = hashlib.sha256(text.encode()).hexdigest()
    return keys


def _change_mark(node: JsonObject, node_type: NodeType) -> Any:
    """What IS_CHANGED says about a node. NaN equals nothing, hence a mark that is never seen again."""
    ask = node_type.optional_method("IS_CHANGED")
    if ask is None:
        return None
    literals = {
        name: None if isinstance(value, list) else value
        for name, value in node["inputs"].items()
        if name in node_type.input_names
    }
    try:
        node["is_changed"] = [ask(**literals)]
    except Exception:  # noqa: BLE001 - a node that cannot tell is taken for changed
        node["is_changed"] = [math.nan]
    return [uuid.uuid4().hex if _is_nan(v) else v for v in cast("list[Any]", node["is_changed"])]


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
