"""Puts the values of a caller into a graph. Pure but for the draw of a seed that was asked for.

What is left out has its default; without one, what stands in the graph stays. A seed is drawn where the
caller says `"random"`, or gives none and the binding says so, and never otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from random import Random, SystemRandom
from typing import Any, Final

from app.errors import AppError
from app.workflows.bindings.models import Bindings, Fault, InputBinding, Value
from app.workflows.bindings.values import MOST_INTEGER, RefusedValueError, taken
from app.workflows.graph import Graph

RANDOM: Final = "random"
MAX_FAULTS: Final = 100
"""Told at once; who has more reads no more."""
MAX_NAME_SHOWN: Final = 80
MAX_DRAWN: Final = 2**53 - 1
"""The largest seed drawn: JavaScript shows no larger integer as it is."""
_SYSTEM: Final = SystemRandom()


@dataclass(frozen=True, slots=True)
class Bound:
    """A graph to run, and what made it."""

    graph: Graph
    values: dict[str, Value]
    """Of every input that was given, had a default, or was drawn: give them again and get this graph."""
    drawn: dict[str, int] = field(default_factory=dict[str, int])
    """The seeds among them that nobody chose."""


class InvalidInputsError(AppError):
    """Values that a workflow does not take: 422 with all of them."""

    def __init__(self, faults: list[Fault]) -> None:
        first, more = faults[0], len(faults) - 1
        rest = f" And {more} more, see details." if more else ""
        errors = [{"field": f.name, "reason": f.code, "message": f.message} for f in faults]
        super().__init__(
            422,
            "invalid_inputs",
            f"{first.name}: {first.message}{rest}",
            details={"errors": errors},
        )
        self.faults = tuple(faults)


def bind(
    graph: Graph, bindings: Bindings, values: Mapping[str, Any], *, random: Random = _SYSTEM
) -> Bound:
    """The graph with the values in their places; the one that was given stays as it is.

    Args:
        graph: that `check` found the bindings to fit
        bindings: of the workflow
        values: by name, as they came
        random: draws seeds

    Raises:
        InvalidInputsError: with every value that is not taken, every unknown and every missing one.
    """
    faults = _unknown(bindings, values)
    used: dict[str, Value] = {}
    drawn: dict[str, int] = {}
    for binding in bindings.inputs:
        try:
            value = _value(binding, values, random)
        except RefusedValueError as refused:
            faults.append(Fault(name=binding.name, code=refused.code, message=refused.message))
            continue
        if value is None:
            continue
        used[binding.name] = value
        if _is_drawn(binding, values) and isinstance(value, int):
            drawn[binding.name] = value
    if faults:
        raise InvalidInputsError(faults[:MAX_FAULTS])
    return Bound(_filled(graph, bindings, used), used, drawn)


def _unknown(bindings: Bindings, values: Mapping[str, Any]) -> list[Fault]:
    names = [binding.name for binding in bindings.inputs]
    return [
        Fault(name=_shown(name), code="unknown_input", message=_no_such(name, names))
        for name in list(values)[: len(names) + MAX_FAULTS]
        if name not in names
    ]


def _shown(name: str) -> str:
    return name.encode(errors="replace").decode()[:MAX_NAME_SHOWN]


def _no_such(name: str, names: list[str]) -> str:
    close = get_close_matches(name[:MAX_NAME_SHOWN], names, n=1)
    if close:
        return f"There is no such input. Did you mean {close[0]!r}?"
    return f"There is no such input. There are: {', '.join(names[:20]) or 'none'}."


def _is_drawn(binding: InputBinding, values: Mapping[str, Any]) -> bool:
    if binding.type != "seed":
        return False
    given = values.get(binding.name, RANDOM if binding.random_when_omitted else None)
    return isinstance(given, str) and given == RANDOM


def _value(binding: InputBinding, values: Mapping[str, Any], random: Random) -> Value | None:
    """What an input is set to; None: nothing, the graph's own stays."""
    if _is_drawn(binding, values):
        return _draw(binding, random)
    if binding.name in values:
        return taken(binding, values[binding.name])
    if binding.required:
        raise RefusedValueError("missing_input", "Must be given.")
    return binding.default


def _draw(binding: InputBinding, random: Random) -> int:
    low = 0 if binding.minimum is None else int(binding.minimum)
    high = MOST_INTEGER if binding.maximum is None else int(binding.maximum)
    return random.randint(low, high if low > MAX_DRAWN else min(high, MAX_DRAWN))


def _filled(graph: Graph, bindings: Bindings, values: Mapping[str, Value]) -> Graph:
    changes: dict[str, dict[str, Value]] = {}
    for binding in bindings.inputs:
        if binding.name in values:
            for target in binding.targets:
                changes.setdefault(target.node_id, {})[target.input] = values[binding.name]
    return {
        node_id: {**node, "inputs": {**node["inputs"], **changes[node_id]}}
        if node_id in changes
        else node
        for node_id, node in graph.items()
    }
