"""A graph beside what object_info knows of it: who feeds whom, what counts, what a field is. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self, cast

from app.workflows.bindings.models import Target
from app.workflows.bindings.names import own_title, title_of
from app.workflows.dynamic_inputs import specs_given
from app.workflows.graph import Graph, Link, is_link, link_of, links
from app.workflows.object_info import InputSpec, output_types
from app.workflows.sanitise import reachable_nodes

_WRITTEN: Final = frozenset(
    {"INT", "FLOAT", "BOOLEAN", "STRING", "COMBO", "*", "COMFY_MATCHTYPE_V3"}
)


@dataclass(frozen=True, slots=True)
class View:
    """A graph checked by `check_structure`, with its environment's object_info (may know nothing)."""

    graph: Graph
    object_info: Mapping[str, Any]
    fed: Mapping[str, list[Target]]
    """The fields that are linked to a node, by its id."""
    counts: frozenset[str]
    """Nodes that an output is made of: others are dropped when a job is submitted."""
    link_types: frozenset[str]
    """Types that nodes make and nobody writes, such as IMAGE."""
    known: dict[str, list[InputSpec]] = field(
        default_factory=dict[str, list[InputSpec]], repr=False
    )
    """Specs that were read already."""

    @classmethod
    def of(cls, graph: Graph, object_info: Mapping[str, Any] | None) -> Self:
        """Read a graph once."""
        fed: dict[str, list[Target]] = {}
        for node_id, node in graph.items():
            for name, link in links(node):
                fed.setdefault(link.node_id, []).append(target_of(node_id, name))
        known = object_info or {}
        made = {
            kind
            for entry in known.values()
            if isinstance(entry, Mapping)
            for kind in output_types(cast(Mapping[str, Any], entry))
        }
        counts = frozenset(reachable_nodes(graph, known))
        return cls(graph, known, fed, counts, frozenset(made - _WRITTEN))

    def nodes(self) -> Iterator[tuple[str, Graph]]:
        """Nodes that count, in the order of the graph."""
        return ((node_id, node) for node_id, node in self.graph.items() if node_id in self.counts)

    def class_type(self, node_id: str) -> str:
        """Of a node of the graph."""
        return self.graph[node_id]["class_type"]

    def node_class(self, node_id: str) -> Mapping[str, Any] | None:
        """Its entry in object_info."""
        found = self.object_info.get(self.class_type(node_id))
        return cast(Mapping[str, Any], found) if isinstance(found, Mapping) else None

    def title(self, node_id: str) -> str:
        """As the graph has it."""
        return title_of(self.graph[node_id])

    def own_title(self, node_id: str) -> str:
        """Nothing, where it is the one that every node of the class has."""
        return own_title(self.graph[node_id], self.node_class(node_id))

    def specs(self, node_id: str) -> list[InputSpec]:
        """What object_info says of the node's inputs."""
        if node_id not in self.known:
            known = self.node_class(node_id)
            given = self.graph[node_id]["inputs"]
            self.known[node_id] = list(specs_given(known, given)) if known else []
        return self.known[node_id]

    def spec(self, target: Target) -> InputSpec | None:
        """What object_info says of a field."""
        if target.node_id not in self.graph:
            return None
        return next((s for s in self.specs(target.node_id) if s.name == target.input), None)

    def drops(self, target: Target) -> bool:
        """Whether a field is none of its node: such are dropped when a job is submitted."""
        specs = self.specs(target.node_id)
        base = target.input.partition(".")[0]
        known = {target.input, base}
        return self.node_class(target.node_id) is not None and not any(
            spec.name in known or spec.name.partition(".")[0] == base for spec in specs
        )

    def value(self, target: Target) -> Any:
        """What stands in a field; None where there is no such field."""
        node = self.graph.get(target.node_id)
        return node["inputs"].get(target.input) if node else None

    def link(self, target: Target) -> Link | None:
        """What feeds a field, where a node of the graph does."""
        value = self.value(target)
        link = link_of(value) if is_link(value) else None
        return link if link and link.node_id in self.graph else None

    def output_type(self, link: Link) -> str:
        """The type at the end of a link; `*` where it is not known."""
        known = self.node_class(link.node_id)
        types = output_types(known) if known else []
        return types[link.slot] if 0 <= link.slot < len(types) else "*"

    def output_name(self, link: Link) -> str:
        """The name of the output at the end of a link, in small letters."""
        names = cast(list[Any], (self.node_class(link.node_id) or {}).get("output_name") or [])
        return str(names[link.slot]).lower() if 0 <= link.slot < len(names) else ""


def target_of(node_id: str, name: str) -> Target:
    """A field of a graph as it came: what no binding may name is sorted out when one is made."""
    return Target.model_construct(node_id=node_id, input=name)
