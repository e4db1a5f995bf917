"""The values of a node's widgets by name, from the list that the editor keeps by position. Pure.

The list follows the order of object_info and has extra places for widgets of the editor alone
(facts/comfyui-protocol.md §6): what happens to a seed after a run, an upload button, a player.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self, cast

from app.workflows.convert.document import Json, UiNode, json_list, json_object
from app.workflows.object_info import InputSpec, input_spec

AFTER_A_RUN: Final = frozenset({"fixed", "increment", "decrement", "randomize", "increment-wrap"})
"""What the editor can do to a value once it was used."""

_SEEDS: Final = frozenset({"seed", "noise_seed"})  # have it without being declared so
_WIDGET_TYPES: Final = frozenset(
    {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COMFY_DYNAMICCOMBO_V3", "COLOR", "MARKDOWN"}
    | {"AUDIO_RECORD", "WEBCAM", "LOAD_3D", "LOAD_3D_ANIMATION", "PREVIEW_3D"}
)
_BUTTON_FLAGS: Final = ("image_upload", "animated_image_upload", "video_upload")
_PLAYERS: Final = frozenset(
    {"LoadAudio", "SaveAudio", "PreviewAudio", "SaveAudioMP3", "SaveAudioOpus"}
)
_LOAD_3D_BUTTONS: Final = 3
_ZERO: Final[Mapping[str, Any]] = {"INT": 0, "FLOAT": 0, "STRING": "", "BOOLEAN": False}


Names = tuple[str, ...]
"""Of the inputs that the file says have a widget."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place in the list of values."""

    spec: InputSpec | None
    """None: a widget of the editor, unknown to ComfyUI."""


_EDITORS: Final = Place(None)


@dataclass(frozen=True, slots=True)
class NodeClass:
    """What object_info says of a class, read once for all its nodes."""

    name: str
    title: str
    specs: tuple[InputSpec, ...]
    """In the order of the editor's widgets."""
    by_name: Mapping[str, InputSpec]

    @classmethod
    def of(cls, name: str, raw: Any) -> Self:
        """Read its entry."""
        known = json_object(raw)
        specs = tuple(widget_specs(known))
        title = known.get("display_name")
        return cls(
            name,
            title if isinstance(title, str) and title else name,
            specs,
            {spec.name: spec for spec in specs},
        )


def widget_specs(node_class: Json) -> Iterator[InputSpec]:
    """Declared inputs in the order of the editor's widgets."""
    declared = json_object(node_class.get("input"))
    order = json_object(node_class.get("input_order"))
    for section in ("required", "optional"):
        inputs = json_object(declared.get(section))
        # object_info that was in a database has lost the order of its objects, never of its lists.
        first = [n for n in json_list(order.get(section)) if isinstance(n, str) and n in inputs]
        for name in dict.fromkeys([*first, *inputs]):
            yield input_spec(name, inputs[name], required=section == "required")


def widget_values(node: UiNode, node_class: NodeClass) -> dict[str, Any]:
    """The value of every widget that ComfyUI knows; defaults where the file has none."""
    declared = _declared(node)
    if isinstance(node.values, dict):
        return _by_name(node.values, node_class, declared)
    return take_values(node, node_class, iter(_without_forced(node.values, node_class, declared)))


def take_values(node: UiNode, node_class: NodeClass, stored: Iterator[Any]) -> dict[str, Any]:
    """The same, of as many values as are the node's in a longer list."""
    declared = _declared(node)
    values: dict[str, Any] = {}
    todo = deque(_places(node_class, declared))
    while todo:
        place = todo.popleft()
        if place.spec is None:
            next(stored, None)
            continue
        value = next(stored, _Missing)
        value = default_of(place.spec) if value is _Missing else value
        values[place.spec.name] = value
        todo.extendleft(reversed(_chosen(place.spec, value, declared)))
    return values


def _declared(node: UiNode) -> Names:
    return tuple(slot.name for slot in node.inputs if slot.widget is not None)


class _Missing:
    """No value stands there; null is one."""


def has_widget(spec: InputSpec, declared: Names) -> bool:
    """Whether the editor shows a field for it: by its type, or as its options or the file say."""
    if spec.options.get("forceInput"):
        return False
    if _kind(spec) in _WIDGET_TYPES or spec.name in declared:
        return True
    # Types that came after us: what has a default or no socket can only be a field.
    return "default" in spec.options or bool(spec.options.get("socketless"))


def default_of(spec: InputSpec) -> Any:
    """What a fresh widget holds."""
    if "default" in spec.options:
        return spec.options["default"]
    match _kind(spec):
        case "COMBO":
            return spec.choices[0] if spec.choices else None
        case "COMFY_DYNAMICCOMBO_V3":
            options = json_list(spec.options.get("options"))
            return json_object(options[0]).get("key") if options else None
        case kind:
            return _ZERO.get(kind)


def _kind(spec: InputSpec) -> str:
    override = spec.options.get("widgetType")
    return override if isinstance(override, str) else spec.type


def _places(node_class: NodeClass, declared: Names) -> list[Place]:
    """In order; buttons stand between what is required and what is optional."""
    places: list[Place] = []
    pending = _after_required(node_class)
    for spec in node_class.specs:
        if not spec.required and pending:
            places += pending
            pending = []
        places += _places_of(spec, declared)
    return places + pending


def _after_required(node_class: NodeClass) -> list[Place]:
    required = [spec for spec in node_class.specs if spec.required]
    buttons = any(spec.options.get(flag) for spec in required for flag in _BUTTON_FLAGS)
    audio = any(spec.name == "audio" and spec.options.get("audio_upload") for spec in required)
    return [_EDITORS] * ((node_class.name in _PLAYERS) + audio + buttons)


def _places_of(spec: InputSpec, declared: Names) -> list[Place]:
    if spec.type == "COMFY_AUTOGROW_V3":
        return _grown(spec, declared)
    if not has_widget(spec, declared):
        return []
    before = _LOAD_3D_BUTTONS if spec.type in {"LOAD_3D", "LOAD_3D_ANIMATION"} else 0
    return [*[_EDITORS] * before, Place(spec), *[_EDITORS] * _controls(spec)]


def _controls(spec: InputSpec) -> int:
    """Places for what happens after a run; a combo has a filter for it as well."""
    controlled = spec.options.get("control_after_generate")
    match spec.type:
        case "INT" if controlled is None:
            return 1 if spec.name in _SEEDS else 0
        case "INT":
            return 1 if controlled else 0
        case "COMBO":
            return 2 if controlled else 0
        case _:
            return 0


def _grown(spec: InputSpec, declared: Names) -> list[Place]:
    """Members of a growing input that have fields: as many as the file names."""
    template = json_object(spec.options.get("template"))
    inputs = json_object(template.get("input"))
    configs = [*json_object(inputs.get("required")).values()]
    configs += json_object(inputs.get("optional")).values()
    if not configs or not has_widget(input_spec("", configs[0], required=False), ()):
        return []
    names = [name for name in declared if name.startswith(f"{spec.name}.")]
    return [
        place
        for name in names
        for place in _places_of(input_spec(name, configs[0], required=False), declared)
    ]


def _chosen(spec: InputSpec, value: Any, declared: Names) -> list[Place]:
    """The widgets that a choice brings with it, named by the choice's own name and a dot."""
    if _kind(spec) != "COMFY_DYNAMICCOMBO_V3":
        return []
    places: list[Place] = []
    for option in map(json_object, json_list(spec.options.get("options"))):
        if option.get("key") != value:
            continue
        for member in widget_specs({"input": option.get("inputs")}):
            named = InputSpec(
                f"{spec.name}.{member.name}",
                member.type,
                member.required,
                member.options,
                member.choices,
            )
            places += _places_of(named, declared)
    return places


def _by_name(stored: dict[str, Any], node_class: NodeClass, declared: Names) -> dict[str, Any]:
    """Some packs save their values by name; whatever else they keep there is not ComfyUI's."""
    values: dict[str, Any] = {}
    for spec in node_class.specs:
        if spec.name in stored:
            values[spec.name] = stored[spec.name]
        elif has_widget(spec, declared):
            values[spec.name] = default_of(spec)
    return values


def _without_forced(values: list[Any], node_class: NodeClass, declared: Names) -> list[Any]:
    """Files from when a forced input still had a value: without those, if the count says so."""
    forced: list[bool] = []
    for spec in node_class.specs:
        is_forced = bool(spec.options.get("forceInput"))
        if is_forced or has_widget(spec, declared):
            forced += [
                is_forced,
                *[False] * (1 if spec.options.get("control_after_generate") else 0),
            ]
    if not any(forced) or len(forced) != len(values):
        return values
    return [value for value, drop in zip(values, forced, strict=True) if not drop]


def as_value(value: Any) -> Any:
    """A widget's value as an input: a bare list would be read as a link (§6)."""
    return {"__value__": cast(list[Any], value)} if isinstance(value, list) else value
