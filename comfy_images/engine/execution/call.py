"""Calls one node: gathers its inputs, maps it over lists, sorts what it returned into slots."""

from __future__ import annotations

import asyncio
import inspect
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from comfy_images.engine.dynamic_inputs import nested
from comfy_images.engine.execution.cache import NodeResult
from comfy_images.engine.graph import is_link
from comfy_images.engine.host import hosting
from comfy_images.engine.subgraph import ExecutionBlocker

if TYPE_CHECKING:
    from collections.abc import Callable

    from comfy_images.engine.graph import Prompt
    from comfy_images.engine.host import ExecutionHost
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


@dataclass(frozen=True, slots=True)
class InnerLink:
    """In a slot: what an inner node returns will stand here."""

    node_id: str
    slot: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a node returned: slots with values and inner links, `ui`, and the inner nodes."""

    slots: list[list[Any]]
    ui: JsonObject | None
    inner: Prompt = field(default_factory=dict[str, Any])

    def inner_links(self) -> list[str]:
        """The inner nodes that the slots wait for."""
        values = (value for slot in self.slots for value in slot)
        return [value.node_id for value in values if isinstance(value, InnerLink)]

    def resolved(self, result_of: Callable[[str], NodeResult]) -> NodeResult:
        """The result, once the inner nodes have run."""
        return NodeResult([_resolved(slot, result_of) for slot in self.slots], self.ui)


def gather(
    node: JsonObject,
    node_type: NodeType,
    result_of: Callable[[str], NodeResult | None],
    hidden: HiddenValues,
) -> Arguments:
    """Every argument as a list of values; unknown inputs are left out, as in ComfyUI.

    What a lazy input links to may not have run; then the input is left out too.
    """
    arguments: Arguments = {}
    for name in node_type.names_in(node["inputs"]):
        value = node["inputs"][name]
        if not is_link(value):
            arguments[name] = [value]
        elif (result := result_of(value[0])) is not None:
            arguments[name] = result.slots[value[1]]
    for name, kind in node_type.hidden().items():
        arguments[name] = [hidden.get(kind)]
    return arguments


def inputs_wanted(node_type: NodeType, arguments: Arguments, missing: list[str]) -> frozenset[str]:
    """Which of the missing lazy inputs a node asks for."""
    if not missing or node_type.optional_method("check_lazy_status") is None:
        return frozenset()
    node = node_type.implementation()
    so_far = arguments | {name: [None] for name in missing}
    answers: list[Any] = [
        node.check_lazy_status(**nested(call)) for call in _calls(node_type, so_far)
    ]
    return frozenset(name for answer in answers for name in answer or () if name in missing)


async def call_node(
    node_type: NodeType,
    arguments: Arguments,
    host_of: Callable[[int], ExecutionHost],
    on_block: Callable[[ExecutionBlocker], None],
) -> list[Any]:
    """Run the node once per list element and return what it returned; tasks where it is async.

    An interruption is looked for before each call, and raised. Where an argument is blocked the node
    does not run: `on_block` hears of it, and all its outputs are blocked, from then on silently.
    """
    function = getattr(node_type.implementation(), node_type.implementation.FUNCTION)
    returned: list[Any] = []
    for index, call in enumerate(_calls(node_type, arguments)):
        host = host_of(index)
        host.check_interrupt()
        blocker = _blocker(call, in_lists=node_type.takes_lists)
        if blocker is not None:
            on_block(blocker)
            returned.append(ExecutionBlocker(None))
            continue
        with hosting(host):
            answer = function(**nested(call))
            returned.append(asyncio.create_task(answer) if inspect.iscoroutine(answer) else answer)
    return returned


def merged(node_type: NodeType, returned: list[Any]) -> Answer:
    """Join the results of all calls, slot by slot, and their `ui` lists, key by key."""
    slots: list[list[Any]] = [[] for _ in node_type.return_types]
    shown: JsonObject = {}
    inner: Prompt = {}
    for one in returned:
        values, ui, expand = _parts(one, len(slots))
        inner |= expand
        for slot, value, is_list in zip(slots, values, node_type.output_is_list, strict=False):
            if is_link(value) and value[0] in expand:
                slot.append(InnerLink(*value))
            elif is_list and not isinstance(value, ExecutionBlocker):
                slot.extend(value)
            else:
                slot.append(value)
        for key, items in ui.items():
            shown.setdefault(key, []).extend(items)
    return Answer(slots, shown or None, inner)


def _calls(node_type: NodeType, arguments: Arguments) -> list[dict[str, Any]]:
    """One call per element of the longest list; shorter lists repeat their last element."""
    if node_type.takes_lists:
        return [arguments]
    length = max((len(values) for values in arguments.values()), default=1)
    return [
        {name: values[min(index, len(values) - 1)] for name, values in arguments.items()}
        for index in range(length)
    ]


def _blocker(call: dict[str, Any], *, in_lists: bool) -> ExecutionBlocker | None:
    """The first blocked argument; in a list that is taken as a whole, one blocked element is enough."""
    values = itertools.chain.from_iterable(call.values()) if in_lists else call.values()
    return next((value for value in values if isinstance(value, ExecutionBlocker)), None)


def _parts(answer: Any, count: int) -> tuple[tuple[Any, ...], JsonObject, Prompt]:
    """Nodes return a tuple of outputs, a blocker, or `{"ui": ..., "result": ..., "expand": ...}`."""
    if isinstance(answer, dict):
        parts = cast("JsonObject", answer)
        result = parts.get("result") or ()
        values = (result,) * count if isinstance(result, ExecutionBlocker) else tuple(result)
        return values, parts.get("ui") or {}, parts.get("expand") or {}
    if isinstance(answer, ExecutionBlocker):
        return (answer,) * count, {}, {}
    return tuple(answer or ()), {}, {}


def _resolved(slot: list[Any], result_of: Callable[[str], NodeResult]) -> list[Any]:
    values: list[Any] = []
    for value in slot:
        if isinstance(value, InnerLink):
            values += result_of(value.node_id).slots[value.slot]
        else:
            values.append(value)
    return values
