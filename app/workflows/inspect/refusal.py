"""Why no workflow comes out of a file: one exception with a stable code."""

from collections.abc import Mapping
from typing import Any, Literal

Code = Literal[
    "empty_file",
    "file_too_large",
    "unknown_file_type",
    "no_workflow_in_file",
    "unreadable_workflow",
    "not_a_workflow",
]


class NoWorkflowError(Exception):
    """A file without a workflow that can be read.

    Args:
        code: stable, machine-readable
        message: one sentence that says why, and what to do
        details: the file's format, and what it holds instead
    """

    def __init__(self, code: Code, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code: Code = code
        self.message = message
        self.details: Mapping[str, Any] = details or {}
