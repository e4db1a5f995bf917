"""Why a UI workflow is not converted: one exception with a stable code, as every refusal here."""

from collections.abc import Mapping
from typing import Any, Literal

Code = Literal[
    "not_a_ui_workflow",
    "damaged_workflow",
    "missing_nodes",
    "too_many_nodes",
    "subgraph_cycle",
    "subgraphs_too_deep",
    "endless_link",
]


class ConversionRefusedError(Exception):
    """A file that cannot become a graph.

    Args:
        code: stable, machine-readable
        message: one sentence that says what to do
        details: every fault or missing node, where there are several
    """

    def __init__(self, code: Code, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message
        self.details: Mapping[str, Any] = details or {}
