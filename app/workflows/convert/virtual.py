"""Nodes that only the editor knows: what they pass on, and which are there to be looked at. Pure."""

from typing import Final

from app.workflows.convert.document import Canvas, UiNode

PRIMITIVE: Final = "PrimitiveNode"
"""Holds the value of the widgets that it is linked to."""

_REROUTES: Final = frozenset({"Reroute", "Reroute (rgthree)"})
_SETTERS: Final = frozenset({"SetNode", "easy setNode"})
_GETTERS: Final = frozenset({"GetNode", "easy getNode"})
_LOOKED_AT: Final = frozenset(
    {"Note", "MarkdownNote", "Label (rgthree)", "Bookmark (rgthree)", "Node Collector (rgthree)"}
    | {"Fast Muter (rgthree)", "Fast Bypasser (rgthree)", "Fast Actions Button (rgthree)"}
    | {"Fast Groups Muter (rgthree)", "Fast Groups Bypasser (rgthree)"}
    | {"Mute / Bypass Relay (rgthree)", "Mute / Bypass Repeater (rgthree)"}
    | {"Random Unmuter (rgthree)"}
)
VIRTUAL: Final = frozenset({PRIMITIVE}) | _REROUTES | _SETTERS | _GETTERS | _LOOKED_AT


def passes_on_input(node: UiNode) -> bool:
    """Whether its outputs are what its first input is."""
    return node.type in _REROUTES or node.type in _SETTERS


def is_getter(node: UiNode) -> bool:
    """Whether it passes on what the setter of its name is given."""
    return node.type in _GETTERS


def variable_of(node: UiNode) -> str | None:
    """The name that a setter gives and getters use."""
    first = node.values[0] if isinstance(node.values, list) and node.values else None
    return first if isinstance(first, str) and first else None


def setters_of(canvas: Canvas) -> dict[str, UiNode]:
    """The setters of a canvas by name."""
    setters: dict[str, UiNode] = {}
    for node in canvas.nodes.values():
        name = variable_of(node) if node.type in _SETTERS else None
        if name is not None:
            setters.setdefault(name, node)
    return setters
