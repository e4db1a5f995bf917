"""Proposes what a workflow takes and gives, so that nobody has to name a node (DESIGN §7). Pure.

In this order, and the first to name a field has it: what its author picked in App mode; annotations of
other products; titles that begin with `$`; what tracing finds. Where an author chose, everything traced is
`advanced`: offered, and folded away.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from app.workflows.bindings.annotations import unwrap_annotations
from app.workflows.bindings.app_mode import app_inputs, app_outputs
from app.workflows.bindings.models import Bindings, InputBinding, OutputBinding, Target
from app.workflows.bindings.names import Names
from app.workflows.bindings.outputs import find_outputs
from app.workflows.bindings.picks import Pick, to_input
from app.workflows.bindings.prompts import find_prompts
from app.workflows.bindings.tracing import (
    find_files,
    find_models,
    find_plain,
    find_seeds,
    find_settings,
    find_sizes,
    find_texts,
    find_titled,
)
from app.workflows.bindings.view import View, target_of
from app.workflows.graph import Graph, is_link
from app.workflows.object_info import is_output_node

MAX_PROPOSED: Final = 80
"""Inputs; a form of more is a graph again."""
MAX_UNFOLDED: Final = 8
"""Where nothing stands out, so few are shown at once."""
_MAIN_FIELDS: Final = (
    "value", "text", "prompt", "image", "audio", "video", "file", "seed", "noise_seed", "string",
)  # fmt: skip
"""What a title with `$` means of a node that takes several values."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A workflow as it would be registered."""

    graph: Graph
    """Without annotations, and free of any node that only names an input."""
    bindings: Bindings


def propose_workflow(
    graph: Graph, object_info: Mapping[str, Any] | None, ui: Mapping[str, Any] | None = None
) -> Proposal:
    """What to register for a graph: itself without annotations, and its bindings.

    Args:
        graph: checked by `check_structure`
        object_info: of the environment; without it types come from the values in the graph
        ui: the workflow as the editor saved it, where the file carried one
    """
    unwrapped = unwrap_annotations(graph, object_info)
    view = View.of(unwrapped.graph, object_info)
    inputs = _inputs(view, ui, unwrapped.bindings.inputs)
    outputs = _outputs(view, ui, unwrapped.bindings.outputs)
    return Proposal(unwrapped.graph, Bindings(inputs=inputs, outputs=outputs))


def propose(
    graph: Graph, object_info: Mapping[str, Any] | None, ui: Mapping[str, Any] | None = None
) -> Bindings:
    """The bindings alone; with annotations they fit the graph that `unwrap_annotations` gives."""
    return propose_workflow(graph, object_info, ui).bindings


def _inputs(
    view: View, ui: Mapping[str, Any] | None, declared: tuple[InputBinding, ...]
) -> tuple[InputBinding, ...]:
    traced = list(_traced(view))
    chosen = list(_picked(ui, view, traced))
    titled = list(_titled(view))
    names, taken = Names(), set[Target]()
    inputs = list(_made(chosen, view, names, taken))
    for binding in declared:
        if not taken & set(binding.targets):
            taken |= set(binding.targets)
            inputs.append(binding.model_copy(update={"name": names.take(binding.name)}))
    inputs += _made(titled, view, names, taken)
    is_chosen = bool(inputs)
    rest = _made((p.advanced() if is_chosen else p for p in traced), view, names, taken)
    inputs += islice(rest, MAX_PROPOSED)
    main = [one for one in inputs if one.group == "main"]
    advanced = [one for one in inputs if one.group == "advanced"]
    if not main and len(advanced) <= MAX_UNFOLDED:
        return tuple(one.model_copy(update={"group": "main"}) for one in advanced)
    return tuple([*main, *advanced][:MAX_PROPOSED])


def _made(
    picks: Iterable[Pick], view: View, names: Names, taken: set[Target]
) -> Iterator[InputBinding]:
    for pick in picks:
        left = pick.without(taken)
        made = to_input(left, view, names) if left.targets else None
        if made:
            taken |= set(made.targets)
            yield made


def _picked(ui: Mapping[str, Any] | None, view: View, traced: list[Pick]) -> Iterator[Pick]:
    """The author's picks, called what tracing would call them."""
    known = {target: pick for pick in reversed(traced) for target in pick.targets}
    for pick in app_inputs(ui, view.graph):
        found = known.get(pick.targets[0])
        title = view.own_title(pick.targets[0].node_id)
        is_size = {target.input for target in pick.targets} == {"width", "height"}
        if found is None or is_size:
            named = Pick(pick.targets, "size" if is_size else pick.widget, label=title)
        else:
            named = replace(found, targets=pick.targets, group="main")
        yield replace(named, help=pick.help)


def _titled(view: View) -> Iterator[Pick]:
    """Nodes whose title is `$name`, or `$name.field` where they take several values."""
    for node_id, node in view.nodes():
        title = view.title(node_id)
        name, _, field = title[1:].partition(".")
        names_output = is_output_node(view.node_class(node_id) or {}) and not field
        if not title.startswith("$") or names_output:
            continue
        plain = [n for n, value in node["inputs"].items() if not is_link(value)]
        mains = [n for n in _MAIN_FIELDS if n in plain]
        meant = [field] if field in plain else mains or plain
        if (meant and not field) or field in plain:
            yield Pick((target_of(node_id, meant[0]),), name)


def _traced(view: View) -> Iterator[Pick]:
    prompts = find_prompts(view)
    yield from prompts.picks
    if not prompts.has_sampler:
        yield from find_texts(view)
    yield from find_files(view)
    yield from find_sizes(view)
    yield from find_seeds(view)
    yield from find_settings(view)
    yield from find_titled(view)
    yield from find_models(view)
    if not prompts.has_sampler:
        yield from find_plain(view)


def _outputs(
    view: View, ui: Mapping[str, Any] | None, declared: tuple[OutputBinding, ...]
) -> tuple[OutputBinding, ...]:
    said = {output.node_id: output.name for output in declared}
    return tuple(find_outputs(view, app_outputs(ui, view.graph), said))
