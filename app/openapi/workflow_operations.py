"""What each operation of workflows takes and answers beyond its route."""

from collections.abc import Mapping
from typing import Final

from app.openapi.operation import JSON, READ, WRITE, Operation, Reply
from app.openapi.parts import PUSH_FORM
from app.workflows.registry.schemas import (
    AliasRequest,
    BindingsPatch,
    PushRequest,
    RollbackRequest,
)

_READ_VERSION: Final = (*READ, "404 workflow_not_found", "404 version_not_found")

WORKFLOWS: Final[Mapping[str, Operation]] = {
    "postWorkflows": Operation(
        codes=(
            *WRITE,
            *JSON,
            "409 workflow_archived",
            "409 workflow_limit",
            "409 version_limit",
            "422 invalid_workflow",
            "422 workflow_format_ui",
            "422 workflow_too_large",
            "422 no_workflow",
            "422 invalid_bindings",
        ),
        body=PushRequest,
        body_examples=("request_push",),
        other_body=("multipart/form-data", PUSH_FORM, "request_push_file"),
        replies={
            200: Reply(
                ("workflow_pushed",),
                description="A version of the workflow has this content: it is that one.",
                schema={"$ref": "#/components/schemas/Pushed"},
            ),
            201: Reply(("workflow_pushed",)),
        },
    ),
    "listWorkflows": Operation(
        codes=(*READ, "400 invalid_cursor", "422 invalid_request"),
        replies={200: Reply(("workflow_page",))},
    ),
    "getWorkflow": Operation(
        codes=(*READ, "404 workflow_not_found"), replies={200: Reply(("workflow_named",))}
    ),
    "archiveWorkflow": Operation(
        codes=(*WRITE, "404 workflow_not_found"), replies={200: Reply(("workflow_put_away",))}
    ),
    "restoreWorkflow": Operation(
        codes=(*WRITE, "404 workflow_not_found"), replies={200: Reply(("workflow_named",))}
    ),
    "rollbackWorkflow": Operation(
        codes=(
            *WRITE,
            *JSON,
            "404 workflow_not_found",
            "404 version_not_found",
            "404 alias_not_found",
            "409 no_earlier_version",
            "409 alias_limit",
        ),
        body=RollbackRequest,
        body_examples=("request_rollback",),
        is_body_optional=True,
        replies={200: Reply(("workflow_rolled_back",))},
    ),
    "putWorkflowAlias": Operation(
        codes=(
            *WRITE,
            *JSON,
            "404 workflow_not_found",
            "404 version_not_found",
            "404 alias_not_found",
            "409 alias_limit",
        ),
        body=AliasRequest,
        body_examples=("request_alias",),
        replies={200: Reply(("workflow_named",))},
    ),
    "deleteWorkflowAlias": Operation(
        codes=(
            *WRITE,
            "404 workflow_not_found",
            "404 alias_not_found",
            "409 alias_needed",
        ),
        replies={204: Reply()},
    ),
    "listWorkflowVersions": Operation(
        codes=(*READ, "400 invalid_cursor", "404 workflow_not_found", "422 invalid_request"),
        replies={200: Reply(("workflow_versions",))},
    ),
    "getWorkflowVersion": Operation(
        codes=_READ_VERSION, replies={200: Reply(("workflow_version",))}
    ),
    "getWorkflowSource": Operation(
        codes=(*_READ_VERSION, "404 source_not_found"), replies={200: Reply(("workflow_source",))}
    ),
    "patchWorkflowBindings": Operation(
        codes=(
            *WRITE,
            *JSON,
            "404 workflow_not_found",
            "404 version_not_found",
            "409 workflow_archived",
            "409 version_limit",
            "422 invalid_bindings",
            "422 invalid_workflow",
        ),
        body=BindingsPatch,
        body_examples=("request_bindings",),
        replies={
            200: Reply(
                ("workflow_bound",),
                description="A version of the workflow has these bindings: it is that one.",
                schema={"$ref": "#/components/schemas/Version"},
            ),
            201: Reply(("workflow_bound",)),
        },
    ),
    "diffWorkflow": Operation(
        codes=(*_READ_VERSION, "422 invalid_request"), replies={200: Reply(("workflow_diff",))}
    ),
    "getWorkflowSchema": Operation(codes=_READ_VERSION, replies={200: Reply(("workflow_schema",))}),
    "getWorkflowCode": Operation(codes=_READ_VERSION, replies={200: Reply(("workflow_code",))}),
}
