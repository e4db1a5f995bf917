"""`convert`: what the ComfyUI editor saves to the graph that ComfyUI runs. Pure.

The rules are the editor's own (facts/comfyui-protocol.md §6), so that the graph is the one it would
have sent: the values of widgets, replaced by links where there are any, for all nodes that run.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.workflows.convert.document import Json, UiNode, read_document
from app.workflows.convert.expand import Scope, depth_first, expand
from app.workflows.convert.follow import Follower, Source, Value
from app.workflows.convert.groups import without_groups
from app.workflows.convert.missing import refuse_missing
from app.workflows.convert.older import renamed, value_of_today
from app.workflows.convert.text import (
    MAX_DYNAMIC_TEXT,
    MAX_FILE_NAME,
    file_name,
    first_choices,
    without_comments,
)
from app.workflows.convert.values import Values
from app.workflows.convert.virtual import VIRTUAL
from app.workflows.convert.widgets import as_value
from app.workflows.graph import Graph
from app.workflows.sanitise import reachable_nodes


@dataclass(frozen=True, slots=True)
class Note:
    """Something that the owner of the file should know about its graph."""

    code: str
    """`choice_made`, `token_kept` or `nodes_dropped`."""
    message: str
    node_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Converted:
    """The graph of a file."""

    graph: Graph
    notes: tuple[Note, ...]


def convert(ui: Json, object_info: Mapping[str, Any]) -> Converted:
    """The graph that the editor would send for a file.

    Args:
        ui: parsed JSON, as the editor saves it
        object_info: of the ComfyUI that is to run it

    Raises:
        ConversionRefusedError: the file cannot be read, is too large, or needs nodes that are absent.
    """
    document = without_groups(renamed(read_document(ui)), object_info)
    scopes = expand(document)
    nodes = list(_running(scopes.values(), document.subgraphs))
    refuse_missing(nodes, object_info)
    values = Values(object_info, scopes)
    conversion = _Conversion(object_info, nodes, values, Follower(scopes, values.promoted))
    return conversion.run()


def _running(scopes: Any, subgraphs: Mapping[str, Any]) -> Iterator[tuple[Scope, UiNode]]:
    for scope in scopes:
        for node in scope.canvas.nodes.values():
            if node.runs and node.type not in VIRTUAL and node.type not in subgraphs:
                yield scope, node


@dataclass(slots=True)
class _Conversion:
    object_info: Mapping[str, Any]
    nodes: list[tuple[Scope, UiNode]]
    values: Values
    follower: Follower
    by_name: dict[str, UiNode] | None = None
    """Nodes by what file names call them, once one asks."""
    noted: dict[tuple[str, str], list[str]] = field(
        default_factory=lambda: defaultdict[tuple[str, str], list[str]](list)
    )

    def run(self) -> Converted:
        graph: Graph = {scope.id_of(node): self._node(scope, node) for scope, node in self.nodes}
        keep = reachable_nodes(graph, self.object_info)
        dropped = [node_id for node_id in graph if node_id not in keep]
        if dropped:
            self.noted["nodes_dropped", "Nodes that feed nothing that is saved or shown."] = dropped
        notes = tuple(Note(*note, tuple(ids)) for note, ids in self.noted.items())
        return Converted({i: node for i, node in graph.items() if i in keep}, notes)

    def _node(self, scope: Scope, node: UiNode) -> Graph:
        known = self.values.class_of(node)
        own = self.values.of(node)
        inputs = {name: as_value(value) for name, value in own.items()}
        raw: set[str] = set()
        for slot in node.inputs:
            if slot.name not in known.by_name and slot.name.partition(".")[0] not in known.by_name:
                continue  # of the editor alone
            match self.follower.origin(scope, slot):
                case Source(node_id, index):
                    inputs[slot.name] = [node_id, index]
                case Value(value, is_raw) if slot.name in own:
                    inputs[slot.name] = as_value(value)
                    raw |= {slot.name} if is_raw else set()
                case _:
                    pass  # nothing that runs: the widget's own value stays, a mere link is gone
        for name in own:
            if name not in raw:
                inputs[name] = self._text(scope, node, name, inputs[name])
        title = {"title": node.title or known.title}
        return {"class_type": node.type, "inputs": inputs, "_meta": title}

    def _text(self, scope: Scope, node: UiNode, name: str, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        value = value_of_today(node.type, name, value)
        if name == "filename_prefix" and "%" in value and len(value) <= MAX_FILE_NAME:
            filled, left = file_name(value, self._value_of)
            for token in left:
                self._note("token_kept", f"{token} is the editor's, and stays.", scope, node)
            return filled
        spec = self.values.class_of(node).by_name.get(name)
        is_dynamic = spec is not None and spec.options.get("dynamicPrompts")
        if not is_dynamic or len(value) > MAX_DYNAMIC_TEXT:
            return value
        chosen, chose = first_choices(without_comments(value))
        if chose:
            message = "Of {a|b} the first was taken; the editor draws one."
            self._note("choice_made", message, scope, node)
        return chosen

    def _value_of(self, node_name: str, widget: str) -> str | None:
        if self.by_name is None:
            self.by_name = self._named_nodes()
        node = self.by_name.get(node_name)
        value = self.values.of(node).get(widget) if node else None
        return None if value is None else str(value)

    def _named_nodes(self) -> dict[str, UiNode]:
        """The first of a name is meant, the name of its class before its title."""
        named: dict[str, UiNode] = {}
        nodes = [
            node for node in depth_first(self.follower.scopes) if node.type in self.object_info
        ]
        for node in nodes:
            name = node.properties.get("Node name for S&R")
            if isinstance(name, str):
                named.setdefault(name, node)
        for node in nodes:
            if node.title:
                named.setdefault(node.title, node)
        return named

    def _note(self, code: str, message: str, scope: Scope, node: UiNode) -> None:
        self.noted[code, message].append(scope.id_of(node))
