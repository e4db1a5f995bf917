"""`/api/v2/workflows`: what can be run by name. Ours beyond v2."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.http import json_response, page_response
from app.identity.auth import Reader, WorkflowWriter
from app.json_input import has_body, read_model
from app.provided import provided
from app.workflows.registry.addresses import (
    AliasPath,
    Cursor,
    Name,
    checked_alias,
    checked_name,
    checked_selector,
)
from app.workflows.registry.schemas import (
    AliasRequest,
    NamedWorkflowOut,
    NamedWorkflowPage,
    PushedOut,
    RollbackRequest,
    render_content,
    render_workflow,
)
from app.workflows.registry.service import RegistryService
from app.workflows.registry.upload import read_push

router = APIRouter(prefix="/api/v2/workflows", tags=["workflows"])

MAX_BODY_BYTES = 16_384


@router.post(
    "",
    status_code=201,
    response_model=PushedOut,
    operation_id="postWorkflows",
    summary="Push a workflow",
    response_description="A new version; `latest` leads to it.",
)
async def push_workflow(request: Request, caller: WorkflowWriter) -> Response:
    """Keep a workflow under a name: its first version, or the next one of a name that is known.

    Send JSON with the workflow in it, or `multipart/form-data` with any file that carries one: API
    format, the editor's format, or a picture or video that ComfyUI saved. What it takes and gives is
    proposed from the workflow itself unless `bindings` say so. No special node is needed.

    Versions never change. Content that a version of the workflow has already is that version: 200
    instead of 201, and `latest` leads to it. What could never run (nodes that the environment lacks,
    links to nowhere) is refused here, every node named.
    """
    push = await read_push(request)
    version, is_new, remarks = await provided(request, RegistryService).push(
        caller.workspace_id, push
    )
    body = render_content(version.version, version.content, remarks=remarks)
    return json_response(body, 201 if is_new else 200)


@router.get(
    "",
    response_model=NamedWorkflowPage,
    operation_id="listWorkflows",
    summary="List workflows",
    response_description="One page.",
)
async def list_workflows(
    request: Request,
    caller: Reader,
    limit: Annotated[int, Query(ge=1, le=100, description="Workflows on a page.")] = 20,
    cursor: Cursor = None,
    archived: Annotated[  # noqa: FBT002 - a query parameter
        bool, Query(description="True: the archived ones, and no others.")
    ] = False,
) -> Response:
    """The workflows of the workspace, by name, with where their words lead."""
    found, next_cursor = await provided(request, RegistryService).page(
        caller.workspace_id, cursor=cursor, archived=archived, limit=limit
    )
    return page_response("workflows", [render_workflow(each) for each in found], next_cursor)


@router.get(
    "/{name}",
    response_model=NamedWorkflowOut,
    operation_id="getWorkflow",
    summary="Get a workflow",
    response_description="The workflow.",
)
async def get_workflow(request: Request, name: Name, caller: Reader) -> Response:
    """A workflow and which of its versions each word leads to."""
    workflow = await provided(request, RegistryService).get(caller.workspace_id, name)
    return json_response(render_workflow(workflow))


@router.post(
    "/{name}/archive",
    response_model=NamedWorkflowOut,
    operation_id="archiveWorkflow",
    summary="Archive a workflow",
    response_description="The workflow now.",
)
async def archive_workflow(request: Request, name: Name, caller: WorkflowWriter) -> Response:
    """Put a workflow away: it is neither run nor pushed to (409 `workflow_archived`), and nothing is lost.

    Jobs that were submitted go on, and can be retried. Its name stays taken.
    """
    workflow = await provided(request, RegistryService).archive(
        caller.workspace_id, checked_name(name), archived=True
    )
    return json_response(render_workflow(workflow))


@router.post(
    "/{name}/restore",
    response_model=NamedWorkflowOut,
    operation_id="restoreWorkflow",
    summary="Restore a workflow",
    response_description="The workflow now.",
)
async def restore_workflow(request: Request, name: Name, caller: WorkflowWriter) -> Response:
    """Take an archived workflow back, with every version and word as it was."""
    workflow = await provided(request, RegistryService).archive(
        caller.workspace_id, checked_name(name), archived=False
    )
    return json_response(render_workflow(workflow))


@router.post(
    "/{name}/rollback",
    response_model=NamedWorkflowOut,
    operation_id="rollbackWorkflow",
    summary="Roll back a workflow",
    response_description="The workflow now.",
)
async def roll_back_workflow(request: Request, name: Name, caller: WorkflowWriter) -> Response:
    """Let `latest`, or another word, lead to the version before, or to the one you name.

    No version is lost: the next push goes on counting, and `latest` leads to it again. Jobs that were
    submitted keep the version that they run.
    """
    body = RollbackRequest()
    if has_body(request):
        body = await read_model(request, RollbackRequest, MAX_BODY_BYTES)
    to = checked_selector(body.version) if body.version is not None else None
    workflow = await provided(request, RegistryService).roll_back(
        caller.workspace_id, checked_name(name), body.alias, to
    )
    return json_response(render_workflow(workflow))


@router.put(
    "/{name}/aliases/{alias}",
    response_model=NamedWorkflowOut,
    operation_id="putWorkflowAlias",
    summary="Point an alias",
    response_description="The workflow now.",
)
async def put_alias(
    request: Request, name: Name, alias: AliasPath, caller: WorkflowWriter
) -> Response:
    """Let a word lead to a version: `prod` to 2, say, so that `poster@prod` runs it.

    A word that leads elsewhere is moved. Who runs `poster@prod` gets the new version from the next
    submit on.
    """
    body = await read_model(request, AliasRequest, MAX_BODY_BYTES)
    workflow = await provided(request, RegistryService).point(
        caller.workspace_id,
        checked_name(name),
        checked_alias(alias),
        checked_selector(body.version),
    )
    return json_response(render_workflow(workflow))


@router.delete(
    "/{name}/aliases/{alias}",
    status_code=204,
    operation_id="deleteWorkflowAlias",
    summary="Delete an alias",
    response_description="Deleted.",
)
async def delete_alias(
    request: Request, name: Name, alias: AliasPath, caller: WorkflowWriter
) -> Response:
    """Let a word lead nowhere. `latest` can be moved and not deleted: 409 `alias_needed`."""
    await provided(request, RegistryService).drop_alias(
        caller.workspace_id, checked_name(name), checked_alias(alias)
    )
    return Response(status_code=204)
