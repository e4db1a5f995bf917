"""The error bodies of ComfyUI 0.8.0, word for word: clients and our own verdicts parse them."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from comfy_images.engine import HOW_TO_CONNECT_COMFYUI
from comfy_images.engine.type_names import qualified_name

if TYPE_CHECKING:
    from comfy_images.engine.input_spec import InputSpec
    from comfy_images.engine.node_type import JsonObject

_LONGEST_SHOWN_LIST = 20


def error(kind: str, message: str, details: str = "", **extra_info: Any) -> JsonObject:
    return {"type": kind, "message": message, "details": details, "extra_info": extra_info}


def missing_class_type(node_id: str) -> JsonObject:
    return error(
        "invalid_prompt",
        "Cannot execute because a node is missing the class_type property.",
        f"Node ID '#{node_id}'",
    )


def unknown_class(node_id: str, class_type: Any) -> JsonObject:
    """As ComfyUI says it, and then how to get the node: most workflows need the real one."""
    return error(
        "invalid_prompt",
        f"Cannot execute because node {class_type} does not exist.",
        f"Node ID '#{node_id}'. {HOW_TO_CONNECT_COMFYUI}",
    )


def no_outputs() -> JsonObject:
    return error("prompt_no_outputs", "Prompt has no outputs")


def no_prompt() -> JsonObject:
    return error("no_prompt", "No prompt provided", "No prompt provided")


def outputs_failed(details: str) -> JsonObject:
    return error("prompt_outputs_failed_validation", "Prompt outputs failed validation", details)


def required_input_missing(name: str) -> JsonObject:
    return error("required_input_missing", "Required input is missing", name, input_name=name)


def bad_linked_input(spec: InputSpec, value: Any) -> JsonObject:
    return error(
        "bad_linked_input",
        "Bad linked input, must be a length-2 list of [node_id, slot_index]",
        spec.name,
        input_name=spec.name,
        input_config=spec.config,
        received_value=value,
    )


def return_type_mismatch(spec: InputSpec, received: str, link: list[Any]) -> JsonObject:
    return error(
        "return_type_mismatch",
        "Return type mismatch between linked nodes",
        f"{spec.name}, received_type({received}) mismatch input_type({spec.kind})",
        input_name=spec.name,
        input_config=spec.config,
        received_type=received,
        linked_node=link,
    )


def invalid_input_type(spec: InputSpec, value: Any, cause: Exception) -> JsonObject:
    return error(
        "invalid_input_type",
        f"Failed to convert an input value to a {spec.kind} value",
        f"{spec.name}, {value}, {cause}",
        input_name=spec.name,
        input_config=spec.config,
        received_value=value,
        exception_message=str(cause),
    )


def out_of_range(spec: InputSpec, value: Any, *, bound: str) -> JsonObject:
    """`bound` is `min` or `max`, the option that `value` breaks."""
    relation = "smaller" if bound == "min" else "bigger"
    return error(
        f"value_{relation}_than_{bound}",
        f"Value {value} {relation} than {bound} of {spec.options[bound]}",
        spec.name,
        input_name=spec.name,
        input_config=spec.config,
        received_value=value,
    )


def value_not_in_list(spec: InputSpec, value: Any, choices: list[Any]) -> JsonObject:
    """Long lists (model files) are counted, not shown."""
    long = len(choices) > _LONGEST_SHOWN_LIST
    shown = f"(list of length {len(choices)})" if long else str(choices)
    return error(
        "value_not_in_list",
        "Value not in list",
        f"{spec.name}: '{value}' not in {shown}",
        input_name=spec.name,
        input_config=None if long else spec.config,
        received_value=value,
    )


def custom_validation_failed(name: str, answer: Any) -> JsonObject:
    """`answer` is what VALIDATE_INPUTS returned: False, or the reason."""
    details = name if answer is False else f"{name} - {answer}"
    return error(
        "custom_validation_failed", "Custom validation failed for node", details, input_name=name
    )


def exception_during_validation(cause: Exception) -> JsonObject:
    """Validating an output node itself raised: a link to an absent node, most often."""
    return error(
        "exception_during_validation",
        "Exception when validating node",
        str(cause),
        exception_type=qualified_name(cause),
        traceback=traceback.format_tb(cause.__traceback__),
    )


def exception_during_inner_validation(
    spec: InputSpec, link: list[Any], cause: Exception
) -> JsonObject:
    """Validating the node at the other end of `link` raised; it is reported there."""
    return error(
        "exception_during_inner_validation",
        "Exception when validating inner node",
        str(cause),
        input_name=spec.name,
        input_config=spec.config,
        exception_message=str(cause),
        exception_type=qualified_name(cause),
        traceback=traceback.format_tb(cause.__traceback__),
        linked_node=link,
    )
