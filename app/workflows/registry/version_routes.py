"""`/api/v2/workflows/{name}/…`: versions of a workflow, what they take, and how they differ."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from app.http import json_response, page_response
from app.identity.auth import Reader, WorkflowWriter
from app.json_input import read_model
from app.provided import provided
from app.workflows.bindings.schema import inputs_schema, outputs_description
from app.workflows.registry.addresses import (
    Cursor,
    Name,
    VersionPath,
    VersionQuery,
    checked_name,
    checked_reference,
    checked_selector,
)
from app.workflows.registry.code import code_samples
from app.workflows.registry.names import LATEST
from app.workflows.registry.schemas import (
    BindingsPatch,
    CodeOut,
    DiffOut,
    SourceOut,
    VersionOut,
    VersionPage,
    VersionWithGraphOut,
    render_content,
    render_version,
)
from app.workflows.registry.service import RegistryService

router = APIRouter(prefix="/api/v2/workflows", tags=["workflows"])

MAX_PATCH_BYTES = 1_000_000


@router.get(
    "/{name}/versions",
    response_model=VersionPage,
    operation_id="listWorkflowVersions",
    summary="List versions",
    response_description="One page.",
)
async def list_versions(
    request: Request,
    name: Name,
    caller: Reader,
    limit: Annotated[int, Query(ge=1, le=100, description="Versions on a page.")] = 20,
    cursor: Cursor = None,
) -> Response:
    """The versions of a workflow, newest first, each with its notes and the words that lead to it."""
    found, next_cursor = await provided(request, RegistryService).versions(
        caller.workspace_id, checked_name(name), cursor=cursor, limit=limit
    )
    return page_response("versions", [render_version(each) for each in found], next_cursor)


@router.get(
    "/{name}/versions/{version}",
    response_model=VersionWithGraphOut,
    operation_id="getWorkflowVersion",
    summary="Get a version",
    response_description="The version.",
)
async def get_version(
    request: Request, name: Name, version: VersionPath, caller: Reader
) -> Response:
    """A version, whole: what it takes and gives, and the graph that runs."""
    found = await provided(request, RegistryService).version(
        caller.workspace_id, checked_reference(name, version)
    )
    return json_response(render_content(found.version, found.content, graph=found.content.graph))


@router.get(
    "/{name}/versions/{version}/source",
    response_model=SourceOut,
    operation_id="getWorkflowSource",
    summary="Get a version's editor file",
    response_description="The file.",
)
async def get_source(
    request: Request, name: Name, version: VersionPath, caller: Reader
) -> Response:
    """The workflow as the ComfyUI editor saved it, to open it there again.

    404 `source_not_found` where the version was pushed in API format.
    """
    source = await provided(request, RegistryService).source(
        caller.workspace_id, checked_reference(name, version)
    )
    return json_response({"source": source})


@router.patch(
    "/{name}/bindings",
    status_code=201,
    response_model=VersionOut,
    operation_id="patchWorkflowBindings",
    summary="Change bindings",
    response_description="A new version; `latest` leads to it.",
)
async def patch_bindings(request: Request, name: Name, caller: WorkflowWriter) -> Response:
    """Change what a workflow takes and gives: names, labels, defaults, ranges, choices, targets.

    The answer is a new version with the same graph; the one before stays as it is. Everything that
    does not fit the graph, or what its nodes take, is refused at once: 422 `invalid_bindings`. Bindings
    that a version has already are that version: 200 instead of 201.
    """
    body = await read_model(request, BindingsPatch, MAX_PATCH_BYTES)
    made, is_new = await provided(request, RegistryService).edit(
        caller.workspace_id,
        checked_reference(name, body.version),
        body.inputs,
        body.outputs,
        body.notes,
    )
    return json_response(render_content(made.version, made.content), 201 if is_new else 200)


@router.get(
    "/{name}/diff",
    response_model=DiffOut,
    operation_id="diffWorkflow",
    summary="Compare two versions",
    response_description="What is different.",
)
async def diff_workflow(
    request: Request,
    name: Name,
    caller: Reader,
    old: Annotated[
        str,
        Query(alias="from", description="The version before, by number or word.", examples=["1"]),
    ],
    new: Annotated[
        str, Query(alias="to", description="The version after, by number or word.", examples=["2"])
    ] = LATEST,
) -> Response:
    """What was added, removed and changed between two versions: nodes with their fields, inputs, outputs."""
    found = await provided(request, RegistryService).diff(
        caller.workspace_id, checked_name(name), checked_selector(old), checked_selector(new)
    )
    return json_response({"from_version": found.old, "to_version": found.new, **found.changes})


@router.get(
    "/{name}/schema",
    response_model=dict[str, Any],
    operation_id="getWorkflowSchema",
    summary="Get the schema of a workflow's inputs",
    response_description="A JSON Schema (2020-12).",
)
async def get_schema(
    request: Request, name: Name, caller: Reader, version: VersionQuery = LATEST
) -> Response:
    """The JSON Schema of `inputs`, with titles, help, defaults, ranges and choices: enough for a form.

    For a whole OpenAPI document ask `GET /openapi.json?workflow=poster@2`, with your key.
    """
    found = await provided(request, RegistryService).version(
        caller.workspace_id, checked_reference(name, version)
    )
    bindings = found.content.bindings
    reference = f"{found.version.workflow}@{found.version.number}"
    outputs = outputs_description(bindings)
    return json_response({"title": reference, **inputs_schema(bindings), "x-outputs": outputs})


@router.get(
    "/{name}/code",
    response_model=CodeOut,
    operation_id="getWorkflowCode",
    summary="Get code that runs a workflow",
    response_description="Whole programs.",
)
async def get_code(
    request: Request, name: Name, caller: Reader, version: VersionQuery = LATEST
) -> Response:
    """How to run a version, ready to be copied: curl, Python, JavaScript, and the official `comfy-sdk`.

    They read `COMFY_BASE_URL` and `COMFY_API_KEY`. Inputs stand there with their defaults.
    """
    found = await provided(request, RegistryService).version(
        caller.workspace_id, checked_reference(name, version)
    )
    reference = f"{found.version.workflow}@{found.version.number}"
    samples = code_samples(reference, found.content.bindings)
    return json_response({"reference": reference, "samples": samples})
