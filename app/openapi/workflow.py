"""The contract of one workflow: the public one, cut down to running it, with its own inputs. Pure."""

from collections.abc import Iterator
from typing import Any, Final, cast

from app.openapi.document import operations
from app.openapi.tidy import Json
from app.workflows.bindings.schema import inputs_schema
from app.workflows.registry.code import code_samples, example_inputs
from app.workflows.registry.models import WholeVersion

_KEPT: Final = frozenset(
    {"postJobs", "getJob", "getJobEvents", "cancelJob", "postAssets", "getAssetContent"}
)
"""What running it takes: submit, follow, cancel, upload inputs, download outputs."""


def workflow_document(public: Json, whole: WholeVersion) -> Json:
    """An OpenAPI document that generators turn into a client of this workflow.

    Args:
        public: the document of the whole server, which stays as it is
        whole: the version
    """
    version, bindings = whole.version, whole.content.bindings
    reference = f"{version.workflow}@{version.number}"
    paths: Json = {}
    for path, method, operation in operations(public):
        if operation["operationId"] in _KEPT:
            paths.setdefault(path, {})[method] = operation
    submit: Json = dict(paths["/api/v2/jobs"]["post"])
    submit["summary"] = f"Run {reference}"
    submit["requestBody"] = _body(public, whole, reference)
    submit["x-codeSamples"] = [
        {"lang": each["lang"], "label": each["label"], "source": each["source"]}
        for each in code_samples(reference, bindings)
    ]
    paths["/api/v2/jobs"] = {"post": submit}
    document: Json = {
        "openapi": public["openapi"],
        "info": {
            "title": version.workflow,
            "version": str(version.number),
            "description": version.notes or f"The workflow `{reference}`, as an API.",
        },
        "servers": public["servers"],
        "security": public["security"],
        "tags": [tag for tag in public["tags"] if tag["name"] in {"jobs", "assets"}],
        "paths": paths,
    }
    document["components"] = _needed(public["components"], document)
    return document


def _body(public: Json, whole: WholeVersion, reference: str) -> Json:
    bindings = whole.content.bindings
    request: Json = public["components"]["schemas"]["JobRequest"]
    inputs = {name: value for name, value in inputs_schema(bindings).items() if name != "$schema"}
    schema = {
        **request,
        "required": ["workflow", *(["inputs"] if inputs["required"] else [])],
        "properties": {
            **request["properties"],
            "workflow": {"type": "string", "const": reference},
            "inputs": inputs,
        },
    }
    example = {"workflow": reference, "inputs": example_inputs(bindings)}
    return {
        "required": True,
        "content": {"application/json": {"schema": schema, "example": example}},
    }


def _needed(components: Json, document: Json) -> Json:
    """The components that are referred to, directly or by another."""
    kept: Json = {"securitySchemes": components["securitySchemes"]}
    todo = list(_refs(document))
    while todo:
        kind, name = todo.pop()
        if name in kept.setdefault(kind, {}):
            continue
        kept[kind][name] = components[kind][name]
        todo += _refs(components[kind][name])
    return {kind: dict(sorted(cast(Json, kept[kind]).items())) for kind in sorted(kept)}


def _refs(node: Any) -> Iterator[tuple[str, str]]:
    match node:
        case {"$ref": str(ref)} if ref.startswith("#/components/"):
            _, _, kind, name = ref.split("/")
            yield kind, name
        case dict():
            for child in cast(Json, node).values():
                yield from _refs(child)
        case list():
            for child in cast(list[Any], node):
                yield from _refs(child)
        case _:
            pass
