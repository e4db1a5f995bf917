"""One field, or several that take one value, chosen to be an input; and how it becomes one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

from app.workflows.bindings.fields import Field, akin, field_of, meet
from app.workflows.bindings.models import (
    MAX_FIELD_LENGTH,
    MAX_HELP_LENGTH,
    MAX_LABEL_LENGTH,
    MAX_TARGETS,
    Group,
    InputBinding,
    Target,
)
from app.workflows.bindings.names import Names, label_of
from app.workflows.bindings.view import View


@dataclass(frozen=True, slots=True)
class Pick:
    """A choice, before it has its final name."""

    targets: tuple[Target, ...]
    name: str
    """As wanted; a title will do."""
    group: Group = "main"
    label: str = ""
    help: str = ""
    fallback: str = "input"
    """The name where `name` holds nothing that can stand in one."""

    def advanced(self) -> "Pick":
        """The same, folded away."""
        return replace(self, group="advanced")

    def without(self, taken: set[Target]) -> "Pick":
        """The same, without fields that are inputs already."""
        return replace(self, targets=tuple(t for t in self.targets if t not in taken))


def to_input(pick: Pick, view: View, names: Names) -> InputBinding | None:
    """The input, or None where none of its fields holds a plain value."""
    if len(pick.targets) > MAX_TARGETS:
        return None
    described = [(t, field_of(view, t)) for t in pick.targets if can_be_named(t)]
    fields = [(target, field) for target, field in described if field is not None]
    if not fields:
        return None
    field = reduce(meet, (field for _, field in fields))
    alike = tuple(target for target, one in fields if akin(one, field))
    name = names.take(pick.name, pick.fallback)
    return input_of(name, alike, field, pick)


def input_of(name: str, targets: Sequence[Target], field: Field, pick: Pick) -> InputBinding:
    """An input of a field and what was said of it."""
    needed = field.default is None
    return InputBinding(
        name=name,
        targets=tuple(targets),
        type=field.type,
        label=pick.label[:MAX_LABEL_LENGTH] or label_of(name),
        help=(pick.help or field.help)[:MAX_HELP_LENGTH],
        default=field.default,
        required=needed,
        minimum=field.minimum,
        maximum=field.maximum,
        step=field.step,
        choices=field.choices,
        unit=field.unit,
        file_kind=field.file_kind,
        group="main" if needed else pick.group,
        multiline=field.multiline,
    )


def can_be_named(target: Target) -> bool:
    """Whether a binding may hold a field: graphs have nodes and fields without a name, too."""
    return bool(target.node_id) and 0 < len(target.input) <= MAX_FIELD_LENGTH
