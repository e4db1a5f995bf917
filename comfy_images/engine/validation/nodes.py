"""Validates the nodes that one prompt needs, each once, and remembers what was wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from comfy_images.engine.graph import CycleError, ancestors_first
from comfy_images.engine.validation import errors
from comfy_images.engine.validation.values import check_custom, check_value, custom_inputs

if TYPE_CHECKING:
    from comfy_images.engine.graph import Prompt
    from comfy_images.engine.input_spec import InputSpec
    from comfy_images.engine.node_type import JsonObject
    from comfy_images.engine.registry import NodeRegistry


@dataclass(slots=True)
class NodeReport:
    """One validated node. `cause` is an exception that the first node linking here reports."""

    valid: bool = True
    errors: list[JsonObject] = field(default_factory=list[Any])
    cause: Exception | None = None

    def add(self, *found: JsonObject) -> None:
        self.errors.extend(found)
        self.valid = self.valid and not found


@dataclass(frozen=True, slots=True)
class NodeValidator:
    """Validates output by output; nodes shared by outputs are validated with the first."""

    prompt: Prompt
    registry: NodeRegistry
    reports: dict[str, NodeReport] = field(default_factory=dict[str, NodeReport])

    def check_output(self, output: str) -> NodeReport:
        """Validate an output node and all it needs."""
        try:
            order = ancestors_first(self.prompt, self.registry, [output])
        except CycleError:
            return NodeReport(valid=False)
        for node_id in order:
            if node_id not in self.reports:
                self.reports[node_id] = self._checked(node_id)
        report = self.reports[output]
        if report.cause is not None:
            report.add(errors.exception_during_validation(report.cause))
            report.cause = None
        return report

    def _checked(self, node_id: str) -> NodeReport:
        report = NodeReport()
        try:
            self._check(node_id, report)
        except Exception as cause:  # noqa: BLE001 - a node's own code runs here, as in ComfyUI
            report.valid, report.cause = False, cause
        return report

    def _check(self, node_id: str, report: NodeReport) -> None:
        node = self.prompt[node_id]
        inputs: JsonObject = node["inputs"]
        if not isinstance(inputs, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"the inputs of node {node_id} are no object")
        node_type = self.registry[node["class_type"]]
        custom = custom_inputs(node_type)
        for name, spec in node_type.inputs(inputs).items():
            if name not in inputs:
                if spec.required:
                    report.add(errors.required_input_missing(name))
            elif isinstance(inputs[name], list):
                self._check_link(spec, inputs[name], report)
            elif found := check_value(spec, inputs, custom_checked=name in custom):
                report.add(found)
        report.add(*check_custom(node_type, custom, inputs))

    def _check_link(self, spec: InputSpec, link: list[Any], report: NodeReport) -> None:
        if len(link) != 2:
            report.add(errors.bad_linked_input(spec, link))
            return
        # A hope, not a fact: what is otherwise raises here, and is reported as ComfyUI does.
        source, slot = cast("tuple[str, int]", link)
        received = self.registry[self.prompt[source]["class_type"]].returned_type(slot)
        if not _accepts(spec.type_name, received):
            report.add(errors.return_type_mismatch(spec, received, link))
            return
        below = self.reports[source]
        if below.cause is not None:
            below.add(errors.exception_during_inner_validation(spec, link, below.cause))
            below.cause = None
        report.valid = report.valid and below.valid


def _accepts(wanted: str, received: str) -> bool:
    """Types are names, or comma-separated unions of names; `*` fits everything."""
    if "*" in (wanted, received):
        return True
    return bool(set(wanted.split(",")) & set(received.split(",")))
