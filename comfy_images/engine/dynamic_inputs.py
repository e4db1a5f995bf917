"""Inputs that stand for several: which they are follows from what the prompt gives (sheet §6).

A prompt names them by dotted keys, the node gets them as one dict:
`"resize_type": "scale width", "resize_type.width": 320` becomes
`resize_type={"resize_type": "scale width", "width": 320}`, and `"images.image0"` becomes
`images={"image0": ...}`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_images.engine.input_spec import InputSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

AUTOGROW = "COMFY_AUTOGROW_V3"
DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"
MATCH_TYPE = "COMFY_MATCHTYPE_V3"


def has_members(spec: InputSpec) -> bool:
    """Whether dotted keys belong to this input."""
    return spec.type_name in {AUTOGROW, DYNAMIC_COMBO}


def expanded(spec: InputSpec, given: Mapping[str, Any]) -> list[InputSpec]:
    """The plain inputs that one declared input stands for."""
    match spec.kind:
        case "COMFY_AUTOGROW_V3":
            return _grown(spec)
        case "COMFY_DYNAMICCOMBO_V3":
            return _chosen(spec, given)
        case "COMFY_MATCHTYPE_V3":
            allowed: str = spec.options["template"]["allowed_types"]
            return [InputSpec(spec.name, allowed, spec.options, spec.required)]
        case _:
            return [spec]


def nested(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of one call, dotted names gathered in dicts; the head keeps its own value."""
    plain: dict[str, Any] = {}
    for name, value in arguments.items():
        head, dot, member = name.partition(".")
        if not dot:
            plain[name] = value
            continue
        group: Any = plain.get(head)
        if not isinstance(group, dict):
            group = plain[head] = {} if head not in plain else {head: group}
        group[member] = value
    return plain


def _grown(spec: InputSpec) -> list[InputSpec]:
    """`images.image0`, `images.image1` and so on, of which the first few are required."""
    template = spec.options["template"]
    [config] = template["input"]["required"].values()
    return [
        InputSpec.of(
            f"{spec.name}.{template['prefix']}{index}",
            config,
            required=spec.required and index < template["min"],
        )
        for index in range(template["max"])
    ]


def _chosen(spec: InputSpec, given: Mapping[str, Any]) -> list[InputSpec]:
    """The combo itself, and the inputs of the option that it is set to."""
    options: list[dict[str, Any]] = spec.options["options"]
    choice = given.get(spec.name)
    keys: list[Any] = [option["key"] for option in options]
    found = [InputSpec(spec.name, keys, spec.options, spec.required)]
    for option in options:
        if option["key"] == choice:
            for group, inputs in option["inputs"].items():
                required = spec.required and group == "required"
                found += [
                    InputSpec.of(f"{spec.name}.{name}", config, required=required)
                    for name, config in inputs.items()
                ]
    return found
