"""Calls one node: gathers its inputs, maps it over lists, sorts what it returned into slots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from comfy_images.engine.execution.cache import NodeResult
from comfy_images.engine.graph import is_link

if TYPE_CHECKING:
    from collections.abc import Callable

    from comfy_images.engine.graph import Prompt
    from comfy_images.engine.node_type import JsonObject, NodeType

Arguments = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class HiddenValues:
    """What a node may ask for as a hidden input."""

    prompt: Prompt
    extra_pnginfo: Any
    node_id: str

    def get(self, kind: str) -> Any:
        match kind:
            case "PROMPT":
                return self.prompt
            case "EXTRA_PNGINFO":
                return self.extra_pnginfo
            case "UNIQUE_ID":
                return self.node_id
            case _:
                return None


def gather(
    node: JsonObject,
    node_type: NodeType,
    result_of: Callable[[str], NodeResult],
    hidden: HiddenValues,
) -> Arguments:
    """Every argument as a list of values; unknown inputs are left out, as in ComfyUI."""
    arguments: Arguments = {}
    for name in node_type.input_names:
        if name not in node["inputs"]:
            continue
        value = node["inputs"][name]
        if is_link(value):
            source, slot = value
            arguments[name] = result_of(source).slots[slot]
        else:
            arguments[name] = [value]
    for name, kind in node_type.hidden().items():
        arguments[name] = [hidden.get(kind)]
    return arguments


def call_node(
    node_type: NodeType, arguments: Arguments, before_each: Callable[[], None]
) -> NodeResult:
    """Run the node once per list element. `before_each` may raise to stop it."""
    function = getattr(node_type.implementation(), node_type.implementation.FUNCTION)
    returned: list[Any] = []
    for call in [arguments] if node_type.takes_lists else _spread(arguments):
        before_each()
        returned.append(function(**call))
    return _merge(node_type, returned)


def _spread(arguments: Arguments) -> list[dict[str, Any]]:
    """One call per element of the longest list; shorter lists repeat their last element."""
    length = max((len(values) for values in arguments.values()), default=1)
    return [
        {name: values[min(index, len(values) - 1)] for name, values in arguments.items()}
        for index in range(length)
    ]


def _merge(node_type: NodeType, returned: list[Any]) -> NodeResult:
    """Join the results of all calls, slot by slot, and their `ui` lists, key by key."""
    slots: list[list[Any]] = [[] for _ in node_type.return_types]
    ui: JsonObject | None = None
    for answer in returned:
        values, shown = _parts(answer)
        for slot, value, is_list in zip(slots, values, node_type.output_is_list, strict=False):
            slot.extend(value if is_list else [value])
        if shown is not None:
            ui = {} if ui is None else ui
            for key, items in shown.items():
                ui.setdefault(key, []).extend(items)
    return NodeResult(slots, ui)


def _parts(answer: Any) -> tuple[tuple[Any, ...], JsonObject | None]:
    """Nodes return a tuple of outputs, or `{"ui": ..., "result": ...}`."""
    if isinstance(answer, dict):
        parts = cast("JsonObject", answer)
        return tuple(parts.get("result") or ()), parts.get("ui")
    return tuple(answer or ()), None
