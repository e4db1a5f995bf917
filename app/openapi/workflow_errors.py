"""Which refusals a caller of workflows can meet, as `errors.py` has all others."""

from typing import Final

from app.openapi.refusal import Refusal

WORKFLOWS: Final = (
    Refusal(
        "404 workflow_not_found",
        "There is no such workflow.",
        "Nothing was pushed under this name, or it is another workspace's.",
    ),
    Refusal(
        "404 version_not_found",
        "There is no such version.",
        "The workflow has no version of this number, and no word that leads to one is called so.",
    ),
    Refusal(
        "404 alias_not_found",
        "There is no such alias.",
        "No word of the workflow is called so.",
    ),
    Refusal(
        "404 source_not_found",
        "There is no such source.",
        "The version was pushed in API format: there is no editor's file.",
    ),
    Refusal(
        "409 workflow_archived",
        "The workflow 'poster' is archived. Restore it: POST /workflows/poster/restore.",
        "Nothing of it is run or pushed until it is restored.",
    ),
    Refusal(
        "409 workflow_limit",
        "A workspace may have 1000 workflows, archived ones included.",
        "The operator sets the limit by `COMFYBURST_MAX_WORKFLOWS`.",
    ),
    Refusal(
        "409 version_limit",
        "A workflow may have 1000 versions. Push it under another name.",
        "The operator sets the limit by `COMFYBURST_MAX_WORKFLOW_VERSIONS`.",
    ),
    Refusal(
        "409 alias_limit",
        "A workflow may have 32 aliases; delete one first.",
        "Delete one, or move it.",
    ),
    Refusal(
        "409 alias_needed",
        "Every workflow has a `latest`; it can be moved.",
        "Move it by a push, a rollback or `PUT …/aliases/latest`.",
    ),
    Refusal(
        "409 no_earlier_version",
        "'latest' leads to version 1: nothing was before it.",
        "Name the version to go to.",
    ),
    Refusal(
        "422 workflow_too_large",
        "The graph of the workflow has 2000001 bytes; at most 2000000 are kept.",
        "The operator sets the limits by `COMFYBURST_MAX_GRAPH_BYTES` and `COMFYBURST_MAX_SOURCE_BYTES`.",
        details={"size_bytes": 2_000_001, "max_bytes": 2_000_000},
    ),
    Refusal(
        "422 no_workflow",
        "This PNG has no text chunks: the metadata was stripped, or never written. Messengers, web sites and "
        "image programs take it away; use the file as ComfyUI saved it.",
        "No workflow can be read from the file: `details.reason` is `empty_file`, `file_too_large`, "
        "`unknown_file_type`, `no_workflow_in_file`, `unreadable_workflow` or `not_a_workflow`.",
        details={
            "reason": "no_workflow_in_file",
            "format": "PNG",
            "names": list[str](),
            "remarks": list[str](),
        },
    ),
    Refusal(
        "422 invalid_bindings",
        "inputs.prompt.minimum: Input should be a valid number",
        "`details.errors` names every input and output and what is wrong with it.",
        details={
            "errors": [
                {
                    "field": "inputs.prompt.minimum",
                    "reason": "invalid",
                    "message": "Input should be a valid number",
                }
            ]
        },
    ),
    Refusal(
        "422 invalid_inputs",
        "width: 70000 is above the maximum of 8192. And 1 more, see details.",
        "`details.errors` names every input that is wrong, unknown or missing.",
        details={
            "errors": [
                {
                    "field": "width",
                    "reason": "too_large",
                    "message": "70000 is above the maximum of 8192.",
                },
                {"field": "widht", "reason": "unknown", "message": "There is no such input."},
            ]
        },
    ),
)
