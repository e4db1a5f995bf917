"""Inputs that stand for several: which they are follows from what a graph gives. Pure.

ComfyUI 0.8 and newer declare them as one, and graphs name their members by dotted keys
(facts/comfyui-protocol.md §6): `"resize_type": "scale width", "resize_type.width": 320`, or
`"images.image0": ["1", 0]`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from app.workflows.object_info import InputSpec, input_spec, input_specs

_Json = Mapping[str, Any]


def specs_given(node_class: _Json, given: _Json) -> Iterator[InputSpec]:
    """The inputs of a node, each of them plain.

    Args:
        node_class: its entry in object_info
        given: the inputs of the node in the graph
    """
    for spec in input_specs(node_class):
        yield from _expanded(spec, given)


def _expanded(spec: InputSpec, given: _Json) -> Iterator[InputSpec]:
    match spec.type:
        case "COMFY_AUTOGROW_V3":
            yield from _grown(spec, given)
        case "COMFY_DYNAMICCOMBO_V3":
            yield from _chosen(spec, given)
        case "COMFY_MATCHTYPE_V3":
            allowed = _json(spec.options.get("template")).get("allowed_types")
            yield replace(spec, type=allowed if isinstance(allowed, str) and allowed else "*")
        case kind if kind.startswith("COMFY_") and _members(spec, given):
            return  # of a kind that came after us: only ComfyUI knows its members
        case _:
            yield spec


def _members(spec: InputSpec, given: _Json) -> list[str]:
    return [name for name in given if name.startswith(f"{spec.name}.")]


def _grown(spec: InputSpec, given: _Json) -> Iterator[InputSpec]:
    """`images.image0`, `images.image1` and so on: as many as are given, and the first few anyhow."""
    template = _json(spec.options.get("template"))
    declared = _json(template.get("input"))
    configs = [*_json(declared.get("required")).values(), *_json(declared.get("optional")).values()]
    if not configs:
        return
    needed = [f"{spec.name}.{name}" for name in _needed_names(template)]
    for name in dict.fromkeys([*needed, *_members(spec, given)]):
        member = input_spec(name, configs[0], required=spec.required and name in needed)
        yield from _expanded(member, given)


def _needed_names(template: _Json) -> list[str]:
    least = template.get("min")
    count = least if isinstance(least, int) else 0
    names = template.get("names")
    if isinstance(names, list):
        return [str(name) for name in cast(list[Any], names)[:count]]
    return [f"{template.get('prefix')}{index}" for index in range(count)]


def _chosen(spec: InputSpec, given: _Json) -> Iterator[InputSpec]:
    """The combo itself, and the inputs of the option that it is set to."""
    options = [_json(option) for option in cast(list[Any], spec.options.get("options") or [])]
    yield InputSpec(
        spec.name, "COMBO", spec.required, spec.options, [option.get("key") for option in options]
    )
    for option in options:
        if option.get("key") == given.get(spec.name):
            for section, inputs in _json(option.get("inputs")).items():
                for name, config in _json(inputs).items():
                    required = spec.required and section == "required"
                    member = input_spec(f"{spec.name}.{name}", config, required=required)
                    yield from _expanded(member, given)


def _json(value: object) -> _Json:
    return cast(_Json, value) if isinstance(value, dict) else {}
