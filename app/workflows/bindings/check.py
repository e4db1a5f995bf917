"""Holds bindings that somebody edited against the graph and what its nodes take: every fault at once. Pure.

What `propose` proposes has none.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from app.workflows.bindings.bind import RANDOM
from app.workflows.bindings.fields import same
from app.workflows.bindings.models import Bindings, Fault, InputBinding, InputType, Target
from app.workflows.bindings.values import RefusedValueError, taken
from app.workflows.bindings.view import View
from app.workflows.graph import Graph
from app.workflows.object_info import InputSpec, is_output_node

_FITTING: Final[Mapping[str, frozenset[InputType]]] = {
    "INT": frozenset({"integer", "seed"}),
    "FLOAT": frozenset({"number", "integer", "seed"}),
    "BOOLEAN": frozenset({"boolean"}),
    "STRING": frozenset({"text", "file"}),
}
"""Types of inputs by what a field takes; a choice fits where each of its choices does."""
_SCALARS: Final[Mapping[str, tuple[type, ...]]] = {
    "INT": (int,),
    "FLOAT": (int, float),
    "BOOLEAN": (bool,),
    "STRING": (str,),
}
_NUMBERS: Final = frozenset({"integer", "number", "seed"})


def check(bindings: Bindings, graph: Graph, object_info: Mapping[str, Any] | None) -> list[Fault]:
    """Everything that is wrong; nothing where the bindings fit.

    Args:
        bindings: as they are to be kept
        graph: checked by `check_structure`
        object_info: of the environment; nodes it does not know take anything
    """
    view = View.of(graph, object_info)
    faults: list[Fault] = []
    names: set[str] = set()
    owners: dict[Target, str] = {}
    for binding in bindings.inputs:
        if binding.name in names:
            faults.append(_fault(binding.name, "duplicate_name", "Two inputs have this name."))
        names.add(binding.name)
        for target in binding.targets:
            owner = owners.setdefault(target, binding.name)
            if owner != binding.name:
                where = f"{target.input!r} of node {target.node_id!r}"
                faults.append(_fault(binding.name, "field_taken", f"{owner!r} sets {where} too."))
            faults += _of_target(binding, target, view)
        faults += _of_itself(binding)
    return [*faults, *_of_outputs(bindings, view)]


def _fault(name: str, code: str, message: str) -> Fault:
    return Fault(name=name, code=code, message=message)


def _of_itself(binding: InputBinding) -> Iterator[Fault]:
    """What contradicts itself, whatever the graph."""
    name, low, high = binding.name, binding.minimum, binding.maximum
    if low is not None and high is not None and low > high:
        yield _fault(name, "empty_range", f"The minimum of {low} is above the maximum of {high}.")
    if binding.type == "choice" and not binding.choices:
        yield _fault(name, "missing_choices", "A choice needs `choices`.")
        return
    of_other_types = {
        "range_not_used": binding.type not in _NUMBERS and (low is not None or high is not None),
        "choices_not_used": binding.type != "choice" and binding.choices is not None,
        "file_kind_not_used": binding.type != "file" and binding.file_kind is not None,
        "random_not_used": binding.type != "seed" and binding.random_when_omitted,
    }
    for code, is_so in of_other_types.items():
        if is_so:
            what = code.removesuffix("_not_used").replace("_", " ")
            yield _fault(name, code, f"Of a {binding.type} there is no {what}.")
    if binding.default is not None:
        try:
            taken(binding, binding.default)
        except RefusedValueError as refused:
            hint = " Set `random_when_omitted`." if binding.default == RANDOM else ""
            yield _fault(name, "bad_default", f"The default: {refused.message}{hint}")


def _of_target(binding: InputBinding, target: Target, view: View) -> Iterator[Fault]:
    name = binding.name
    if target.node_id not in view.graph:
        yield _fault(name, "unknown_node", f"The graph has no node {target.node_id!r}.")
        return
    if view.node_class(target.node_id) is None:
        return
    spec = view.spec(target)
    where = f"{target.input!r} of {view.class_type(target.node_id)} (node {target.node_id!r})"
    if spec is None:
        if view.drops(target):
            yield _fault(name, "unknown_field", f"There is no {where}.")
    elif spec.type in view.link_types:
        yield _fault(name, "no_value", f"{where} takes the output of a node, {spec.type}.")
    elif spec.type == "COMBO":
        yield from _of_combo(binding, target, spec, view, where)
    elif not _fits(binding, spec):
        message = f"A {binding.type} does not fit {where}, which takes {spec.type}."
        yield _fault(name, "type_mismatch", message)
    else:
        yield from _of_range(binding, spec, where)


def _fits(binding: InputBinding, spec: InputSpec) -> bool:
    allowed = _FITTING.get(spec.type)
    if allowed is None:
        return True  # a type with a widget of its own: only ComfyUI knows
    if binding.type == "choice":
        kinds = _SCALARS[spec.type]
        return all(type(choice) in kinds for choice in binding.choices or ())
    return binding.type in allowed


def _of_combo(
    binding: InputBinding, target: Target, spec: InputSpec, view: View, where: str
) -> Iterator[Fault]:
    free = spec.is_upload or spec.is_model_file
    if binding.type == "file" or (free and binding.type == "text"):
        if not free:
            yield _fault(binding.name, "type_mismatch", f"{where} takes no file.")
    elif binding.type != "choice":
        message = f"A {binding.type} does not fit {where}, which takes one of a list."
        yield _fault(binding.name, "type_mismatch", message)
    elif not free:
        # What the graph holds is not judged here: the environment may be another one by then.
        known = [*(spec.choices or []), view.value(target)]
        unknown = [c for c in binding.choices or () if not any(same(c, also) for also in known)]
        if unknown:
            shown = ", ".join(map(str, unknown[:20]))
            yield _fault(binding.name, "unknown_choice", f"{where} does not offer: {shown}.")


def _of_range(binding: InputBinding, spec: InputSpec, where: str) -> Iterator[Fault]:
    if binding.type not in _NUMBERS:
        return
    least, most = spec.options.get("min"), spec.options.get("max")
    low, high = binding.minimum, binding.maximum
    below = isinstance(least, (int, float)) and high is not None and high < least
    above = isinstance(most, (int, float)) and low is not None and low > most
    if below or above:
        message = f"No value of the range is taken by {where}: {least} to {most}."
        yield _fault(binding.name, "range_outside", message)


def _of_outputs(bindings: Bindings, view: View) -> Iterator[Fault]:
    names: set[str] = set()
    for output in bindings.outputs:
        if output.name in names:
            yield _fault(output.name, "duplicate_name", "Two outputs have this name.")
        names.add(output.name)
        if output.node_id not in view.graph:
            message = f"The graph has no node {output.node_id!r}."
            yield _fault(output.name, "unknown_node", message)
            continue
        known = view.node_class(output.node_id)
        if known is not None and not is_output_node(known):
            message = f"Node {output.node_id!r}, {view.class_type(output.node_id)}, saves nothing."
            yield _fault(output.name, "not_an_output", message)
