"""Checks one literal input: converts it to the declared type, then holds it to its bounds."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, cast

from comfy_images.engine.validation import errors

if TYPE_CHECKING:
    from collections.abc import Callable

    from comfy_images.engine.input_spec import InputSpec
    from comfy_images.engine.node_type import JsonObject, NodeType

_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "INT": int,
    "FLOAT": float,
    "STRING": str,
    "BOOLEAN": bool,
}


def check_value(spec: InputSpec, inputs: JsonObject, *, custom_checked: bool) -> JsonObject | None:
    """The error of one literal, or None. Conversions are written back into `inputs` (`"64"` → 64).

    `custom_checked`: the node's VALIDATE_INPUTS takes this input, which replaces bounds and choices.
    """
    value = _unwrapped(inputs[spec.name])
    try:
        value = _CONVERSIONS.get(spec.type_name, _unchanged)(value)
    except (ValueError, TypeError) as cause:
        return errors.invalid_input_type(spec, value, cause)
    inputs[spec.name] = value
    return None if custom_checked else _check_bounds(spec, value)


def _check_bounds(spec: InputSpec, value: Any) -> JsonObject | None:
    if "min" in spec.options and value < spec.options["min"]:
        return errors.out_of_range(spec, value, bound="min")
    if "max" in spec.options and value > spec.options["max"]:
        return errors.out_of_range(spec, value, bound="max")
    choices = spec.choices
    if choices is not None and value not in choices:
        return errors.value_not_in_list(spec, value, choices)
    return None


def custom_inputs(node_type: NodeType) -> frozenset[str]:
    """The input names that the node's VALIDATE_INPUTS takes; all of them if it has `**kwargs`."""
    check = node_type.optional_method("VALIDATE_INPUTS")
    if check is None:
        return frozenset()
    parameters = inspect.signature(check).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return frozenset(node_type.input_names)
    return frozenset(parameters)


def check_custom(
    node_type: NodeType, names: frozenset[str], inputs: JsonObject
) -> list[JsonObject]:
    """What VALIDATE_INPUTS has against the literals; linked inputs are None, being unknown yet."""
    check = node_type.optional_method("VALIDATE_INPUTS")
    if check is None:
        return []
    values = {
        name: None if isinstance(inputs[name], list) else inputs[name]
        for name in node_type.input_names
        if name in names and name in inputs
    }
    answer = check(**values)
    if answer is True:
        return []
    return [errors.custom_validation_failed(name, answer) for name in values]


def _unwrapped(value: Any) -> Any:
    """`{"__value__": [...]}` is how a list travels as a value, since a bare list is a link."""
    if isinstance(value, dict) and "__value__" in value:
        return cast("JsonObject", value)["__value__"]
    return cast("Any", value)


def _unchanged(value: Any) -> Any:
    return value
