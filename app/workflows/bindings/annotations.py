"""Takes the nodes of other products out of a graph: what they declare becomes bindings. Pure.

Their nodes are not installed here and never need to be. A node that stands for a value gives way to the
value itself, in every field it fed; one that loads a file to ComfyUI's own loader; one that saves to ComfyUI's
own. What cannot be replaced stays, and is reported as missing when a job is submitted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from app.workflows.bindings import comfydeploy, comfypack
from app.workflows.bindings.annotation import InputNote
from app.workflows.bindings.check import check
from app.workflows.bindings.fields import Field, as_number, field_of, meet, plain_field, within
from app.workflows.bindings.models import MAX_INPUTS, MAX_TARGETS, Bindings, InputBinding, Target
from app.workflows.bindings.names import Names
from app.workflows.bindings.outputs import find_outputs
from app.workflows.bindings.picks import Pick, can_be_named, input_of
from app.workflows.bindings.rewriting import Replaced, Rewriting
from app.workflows.bindings.view import View
from app.workflows.graph import Graph, is_link, link_of


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """A graph without annotations, and what they said."""

    graph: Graph
    bindings: Bindings
    """The inputs and outputs that were declared; nothing else of the graph."""


def unwrap_annotations(graph: Graph, object_info: Mapping[str, Any] | None = None) -> Unwrapped:
    """Replace every annotation that can be; a graph without any is returned as it is.

    Args:
        graph: checked by `check_structure`
        object_info: of the environment, for the types and limits of what annotations feed
    """
    rewriting = Rewriting.of(graph)
    replaced = _replace_inputs(rewriting)
    outputs = {
        node_id: note
        for node_id, node in graph.items()
        if (note := comfydeploy.read_output(node) or comfypack.read_output(node))
    }
    for node_id, note in outputs.items():
        rewriting.save(node_id, note)
    for node_id in comfypack.without_work(graph):
        del rewriting.graph[node_id]
    if rewriting.graph == graph:
        return Unwrapped(graph, Bindings())
    view = View.of(rewriting.graph, object_info)
    said = {node_id: note.name for node_id, note in outputs.items()}
    found = [output for output in find_outputs(view, said=said) if output.node_id in said]
    return Unwrapped(
        rewriting.graph, Bindings(inputs=_inputs(view, replaced), outputs=tuple(found))
    )


def _read(rewriting: Rewriting, node_id: str) -> InputNote | None:
    node = rewriting.graph[node_id]
    fed = rewriting.fed.get(node_id, [])
    return comfydeploy.read_input(node) or comfypack.read_input(node, fed)


def _replace_inputs(rewriting: Rewriting) -> list[Replaced]:
    """Replace what declares an input, in the order of the graph, but a default before what it is of."""
    found = {i: note for i in list(rewriting.graph) if (note := _read(rewriting, i))}
    replaced: dict[str, Replaced | None] = {}
    for first in found:
        chain = [first]
        while chain:
            node_id = chain[-1]
            if node_id in replaced:
                chain.pop()
                continue
            default = found[node_id].default
            behind = link_of(default).node_id if is_link(default) else ""
            if behind in found and behind not in replaced and behind not in chain:
                chain.append(behind)
                continue
            # Read again: the link to its default may be a value by now.
            note = _read(rewriting, node_id)
            replaced[node_id] = rewriting.replace(node_id, note) if note else None
    ordered = (replaced.get(node_id) for node_id in found)
    return [one for one in ordered if one]


def _inputs(view: View, replaced: list[Replaced]) -> tuple[InputBinding, ...]:
    """One input for each name: nodes that declare one and the same get one and the same value."""
    names = Names()
    by_name: dict[tuple[str, str], list[Replaced]] = {}
    for one in replaced:
        by_name.setdefault((one.note.name, one.note.kind), []).append(one)
    inputs: list[InputBinding] = []
    for same in by_name.values():
        fed = [t for one in same for t in one.targets if t.node_id in view.graph]
        targets = [target for target in fed if can_be_named(target)]
        if not 0 < len(targets) <= MAX_TARGETS or len(inputs) == MAX_INPUTS:
            continue
        made = _input(view, names, same[0], targets)
        # Linked to what takes no value, or none of its type: the graph could not run either way.
        if not check(Bindings(inputs=(made,)), view.graph, view.object_info):
            inputs.append(made)
    return tuple(inputs)


def _input(view: View, names: Names, one: Replaced, targets: list[Target]) -> InputBinding:
    note = one.note
    name = names.take(note.name)
    field = _field(view, one, targets)
    made = input_of(name, targets, field, Pick((), name, label=note.label, help=note.help))
    needed = made.required and not one.is_optional and not note.random_when_omitted
    drawn = note.random_when_omitted and field.type == "seed"
    return made.model_copy(update={"required": needed, "random_when_omitted": drawn})


def _field(view: View, one: Replaced, targets: list[Target]) -> Field:
    """What the annotation allows and every field it feeds takes."""
    note = one.note
    if note.kind == "file":
        return Field("file", one.default, file_kind=note.file_kind or "file")
    if note.kind == "any":
        found = [field for field in (field_of(view, target) for target in targets) if field]
        stands = view.value(targets[0])
        plain = (
            plain_field("value", stands) if isinstance(stands, (bool, int, float, str)) else None
        )
        field = reduce(meet, found) if found else plain or Field("text", "")
    else:
        field = within(_declared(one), [(t.input, view.spec(t)) for t in targets])
    field = _limited(replace(field, help=""), note)
    return field if one.default is not None else replace(field, default=None)


def _declared(one: Replaced) -> Field:
    note, default = one.note, one.default
    match note.kind:
        case "choice":
            return Field("choice", default, choices=note.choices or (default or "",))
        case "integer" | "seed" | "number":
            number = as_number(default or 0, whole=note.kind != "number")
            return Field(note.kind, 0 if number is None else number)
        case "boolean":
            return Field("boolean", bool(default))
        case _:
            return Field("text", "" if default is None else str(default), multiline=note.multiline)


def _limited(field: Field, note: InputNote) -> Field:
    if field.type not in ("integer", "number", "seed") or isinstance(field.default, (str, dict)):
        return field
    stands = [] if field.default is None or note.default is None else [field.default]
    lows = [x for x in (field.minimum, note.minimum) if x is not None]
    highs = [x for x in (field.maximum, note.maximum) if x is not None]
    return replace(
        field,
        minimum=min(max(lows), *stands) if lows and stands else max(lows, default=None),
        maximum=max(min(highs), *stands) if highs and stands else min(highs, default=None),
    )
