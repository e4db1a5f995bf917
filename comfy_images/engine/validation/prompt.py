"""Validates a whole prompt: which outputs can run, and what is wrong with the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from comfy_images.engine.validation import errors
from comfy_images.engine.validation.nodes import NodeReport, NodeValidator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from comfy_images.engine.graph import Prompt
    from comfy_images.engine.node_type import JsonObject
    from comfy_images.engine.registry import NodeRegistry


@dataclass(frozen=True, slots=True)
class PromptVerdict:
    """Runs if `error` is None; `node_errors` may be present even then: those outputs are dropped."""

    error: JsonObject | None
    outputs: list[str] = field(default_factory=list[str])
    node_errors: JsonObject = field(default_factory=dict[str, Any])


def validate_prompt(
    prompt: Prompt, registry: NodeRegistry, targets: Sequence[str] | None
) -> PromptVerdict:
    """Judge a prompt; literals are converted in place. `targets` limits it to those outputs."""
    outputs: list[str] = []
    for node_id in prompt:
        node: Any = prompt[node_id]
        if "class_type" not in node:
            return PromptVerdict(errors.missing_class_type(node_id))
        node_type = registry.get(node["class_type"])
        if node_type is None:
            return PromptVerdict(errors.unknown_class(node_id, node["class_type"]))
        if node_type.is_output and (targets is None or node_id in targets):
            outputs.append(node_id)
    if not outputs:
        return PromptVerdict(errors.no_outputs())
    return _validate_outputs(NodeValidator(prompt, registry), outputs)


def _validate_outputs(validator: NodeValidator, outputs: list[str]) -> PromptVerdict:
    good: list[str] = []
    failed: list[NodeReport] = []
    node_errors: JsonObject = {}
    for output in outputs:
        report = validator.check_output(output)
        if report.valid:
            good.append(output)
            continue
        failed.append(report)
        _attribute(validator, output, node_errors)
    error = None if good else errors.outputs_failed(_details(failed))
    return PromptVerdict(error, good, node_errors)


def _attribute(validator: NodeValidator, output: str, node_errors: JsonObject) -> None:
    """Name `output` as one that fails because of every faulty node found so far."""
    for node_id, report in validator.reports.items():
        if not report.errors:
            continue
        class_type = validator.prompt[node_id]["class_type"]
        entry = node_errors.setdefault(
            node_id, {"errors": report.errors, "dependent_outputs": [], "class_type": class_type}
        )
        entry["dependent_outputs"].append(output)


def _details(failed: list[NodeReport]) -> str:
    """Only the errors of output nodes themselves are spelt out here (sheet §1)."""
    return "\n".join(f"{e['message']}: {e['details']}" for report in failed for e in report.errors)
