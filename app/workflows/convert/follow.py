"""Where the value of an input comes from, through everything that only the editor knows. Pure.

A link can pass reroutes, setters and getters, bypassed nodes and the borders of subgraphs before it
ends at a node that runs, at a value, or at nothing (facts/comfyui-protocol.md §6).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from app.workflows.convert.document import Canvas, Mode, Slot, UiNode
from app.workflows.convert.expand import Path, Scope
from app.workflows.convert.refusal import ConversionRefusedError
from app.workflows.convert.virtual import (
    PRIMITIVE,
    VIRTUAL,
    is_getter,
    passes_on_input,
    setters_of,
    variable_of,
)


class Source(NamedTuple):
    """An output of a node that runs."""

    node_id: str
    slot: int


class Value(NamedTuple):
    """A widget's value: of a primitive node, or promoted to a subgraph's border."""

    value: Any
    is_raw: bool = False
    """Kept by an instance: the editor hands those on as they are."""


class _Step(NamedTuple):
    scope: Scope
    link: str


Origin = Source | Value | None
"""None: nothing that runs."""


@dataclass(frozen=True, slots=True)
class Follower:
    """Follows links; what it learnt about one it remembers, so long chains stay cheap."""

    scopes: Mapping[Path, Scope]
    promoted: Callable[[Scope, int], Origin]
    """The value of a subgraph's input that nothing is linked to."""
    _known: dict[tuple[Path, str, str], Origin] = field(
        default_factory=dict[tuple[Path, str, str], Origin]
    )
    _setters: dict[int, dict[str, UiNode]] = field(default_factory=dict[int, dict[str, UiNode]])

    def origin(self, scope: Scope, slot: Slot) -> Origin:
        """What feeds an input.

        Raises:
            ConversionRefusedError: `endless_link`.
        """
        if not slot.links:
            return None
        at: _Step | Origin = _Step(scope, slot.links[0])
        passed: dict[tuple[Path, str, str], None] = {}
        while isinstance(at, _Step):
            key = (at.scope.path, at.link, slot.type)
            if key in self._known:
                at = self._known[key]
                break
            if key in passed:
                raise ConversionRefusedError(
                    "endless_link", f"What feeds the input {slot.name!r} runs in a circle."
                )
            passed[key] = None
            at = self._next(at, slot.type)
        self._known.update(dict.fromkeys(passed, at))
        return at

    def _next(self, at: _Step, wanted: str) -> _Step | Origin:
        link = at.scope.canvas.links.get(at.link)
        if link is None:
            return None
        instance = at.scope.instance
        if instance is not None and link.origin == instance.subgraph.input_node:
            outer = instance.inputs.get(link.origin_slot)
            if outer is not None and outer.links:
                return _Step(instance.outside, outer.links[0])
            return self.promoted(at.scope, link.origin_slot)
        node = at.scope.canvas.nodes.get(link.origin)
        if node is not None and node.type == PRIMITIVE:
            return _held(node, at.scope.canvas.nodes.get(link.target))
        return None if node is None else self._through(at.scope, node, link.origin_slot, wanted)

    def _through(self, scope: Scope, node: UiNode, slot: int, wanted: str) -> _Step | Origin:
        match node.mode:
            case Mode.MUTED:
                return None
            case Mode.BYPASSED:
                return _step(scope, _bypass(node, slot, wanted))
            case _:
                return self._through_running(scope, node, slot)

    def _through_running(self, scope: Scope, node: UiNode, slot: int) -> _Step | Origin:
        inner = self.scopes.get((*scope.path, node.id))
        if inner is not None and inner.instance is not None:
            return _step(inner, inner.instance.outputs.get(slot))
        if is_getter(node):
            return self._from_setter(scope, node)
        if passes_on_input(node):
            return _step(scope, node.inputs[0] if node.inputs else None)
        return None if node.type in VIRTUAL else Source(scope.id_of(node), slot)

    def _from_setter(self, scope: Scope, getter: UiNode) -> _Step | None:
        """The setter of that name on this canvas, or on one around it."""
        name = variable_of(getter)
        at: Scope | None = scope
        while at is not None and name is not None:
            setter = self._setters_of(at.canvas).get(name)
            if setter is not None:
                runs = setter.runs and setter.inputs
                return _step(at, setter.inputs[0]) if runs else None
            at = at.instance.outside if at.instance else None
        return None

    def _setters_of(self, canvas: Canvas) -> dict[str, UiNode]:
        if id(canvas) not in self._setters:
            self._setters[id(canvas)] = setters_of(canvas)
        return self._setters[id(canvas)]


def _held(primitive: UiNode, target: UiNode | None) -> Value | None:
    """What a primitive node gives to a widget, muted or not; through a reroute it gives nothing."""
    if not isinstance(primitive.values, list) or not primitive.values:
        return None
    if target is not None and target.type in VIRTUAL:
        return None
    return Value(primitive.values[0])


def _step(scope: Scope, slot: Slot | None) -> _Step | None:
    return _Step(scope, slot.links[0]) if slot is not None and slot.links else None


def _bypass(node: UiNode, slot: int, wanted: str) -> Slot | None:
    """The input that a bypassed node hands on: the one beside the output, else the first that fits."""
    if not node.inputs or not 0 <= slot < len(node.outputs):
        return None
    offered = node.outputs[slot].type
    if "*" in {wanted, offered}:
        return node.inputs[slot] if slot < len(node.inputs) else node.inputs[0]
    if slot < len(node.inputs) and _connects(node.inputs[slot].type, offered):
        return node.inputs[slot]
    exact = next((s for s in node.inputs if s.type == wanted), None)
    return exact or next((s for s in node.inputs if _connects(s.type, offered)), None)


def _connects(one: str, other: str) -> bool:
    """The editor's rule: types are unions by comma, in any case of letters, and `*` fits all."""
    if "*" in {one, other}:
        return True
    return bool(set(one.lower().split(",")) & set(other.lower().split(",")))
