"""Every widget's value of a file: a node's own, and those promoted to the border of a subgraph. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.workflows.convert.document import Slot, Subgraph, UiNode
from app.workflows.convert.expand import Instance, Path, Scope
from app.workflows.convert.follow import Origin, Value
from app.workflows.convert.widgets import NodeClass, widget_values


@dataclass(frozen=True, slots=True)
class Values:
    """Read once per node, however many instances show it."""

    object_info: Mapping[str, Any]
    scopes: Mapping[Path, Scope]
    _own: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])
    _classes: dict[str, NodeClass] = field(default_factory=dict[str, NodeClass])
    _kept: dict[int, dict[str, Any]] = field(default_factory=dict[int, dict[str, Any]])

    def of(self, node: UiNode) -> dict[str, Any]:
        """A node's own values by name."""
        known = self._own.get(id(node))
        if known is None:
            known = self._own[id(node)] = widget_values(node, self.class_of(node))
        return known

    def class_of(self, node: UiNode) -> NodeClass:
        """What object_info says of a node's class."""
        known = self._classes.get(node.type)
        if known is None:
            known = NodeClass.of(node.type, self.object_info.get(node.type))
            self._classes[node.type] = known
        return known

    def promoted(self, scope: Scope, slot: int) -> Origin:
        """The value of a subgraph's input that nothing is linked to.

        Kept by the instance where it keeps any (editors before 1.28 and since 1.47); in between an
        instance only shows what the first widget behind the input holds, and all behind it get that.
        """
        instance = scope.instance
        # Through instances in instances, until one of them or a node itself has the value.
        while instance is not None and 0 <= slot < len(instance.subgraph.inputs):
            name = instance.subgraph.inputs[slot].name
            kept = self._kept_by(instance)
            if name in kept:
                return Value(kept[name], is_raw=True)
            behind = _first_widget(instance.subgraph, instance.subgraph.inputs[slot])
            if behind is None:
                return None
            node, widget = behind
            inner = self.scopes.get((*scope.path, node.id))
            if inner is None or inner.instance is None:
                own = self.of(node)
                return Value(own[widget]) if widget in own else None
            scope, instance = inner, inner.instance
            slot = next((i for i, s in enumerate(instance.subgraph.inputs) if s.name == widget), -1)
        return None

    def _kept_by(self, instance: Instance) -> dict[str, Any]:
        values = instance.node.values
        if isinstance(values, dict):
            return values
        known = self._kept.get(id(instance.node))
        if known is None:
            subgraph = instance.subgraph
            # A place for each input that is a widget, by the subgraph's own order: newer editors list
            # only some of the inputs at the instance.
            shown = [s.name for s in subgraph.inputs if _first_widget(subgraph, s) is not None]
            known = self._kept[id(instance.node)] = dict(zip(shown, values, strict=False))
        return known


def _first_widget(subgraph: Subgraph, slot: Slot) -> tuple[UiNode, str] | None:
    """What is behind a subgraph's input: a node and the widget's name, if it is one."""
    link = subgraph.canvas.links.get(slot.links[0]) if slot.links else None
    node = subgraph.canvas.nodes.get(link.target) if link else None
    if link is None or node is None or not 0 <= link.target_slot < len(node.inputs):
        return None
    found = node.inputs[link.target_slot]
    return None if found.widget is None else (node, found.name)
