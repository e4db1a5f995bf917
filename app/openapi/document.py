"""The public OpenAPI, from the routes and the tables beside them; the same for every installation."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, cast

from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from app.openapi.errors import BY_KEY, REFUSALS, failures_table, refusals_table
from app.openapi.events import Events
from app.openapi.examples import SUMMARIES, example
from app.openapi.operation import Examples, Operation, Reply
from app.openapi.operations import OPERATIONS
from app.openapi.parts import HEADERS
from app.openapi.refusal import Refusal
from app.openapi.samples import SAMPLES
from app.openapi.tidy import Json, ours, ref, renamed, tidy

_HERE: Final = Path(__file__).parent
_SCHEMA_REF: Final = "#/components/schemas/{model}"
_REQUEST_ID: Final = "X-Comfy-Request-Id"

TAGS: Final = (
    {
        "name": "jobs",
        "x-displayName": "Jobs",
        "description": "One execution of a workflow: recorded before it is answered, run on your "
        "machine, followed by polling or by a stream, kept until it expires.",
    },
    {
        "name": "events",
        "x-displayName": "Events",
        "description": "Every job of the workspace in one stream.",
    },
    {
        "name": "assets",
        "x-displayName": "Assets",
        "description": "Files in and out: records over bytes that are kept once for each workspace.",
    },
    {
        "name": "workflows",
        "x-displayName": "Workflows",
        "description": "What can be run by name: immutable versions with named, typed inputs, and words "
        "that lead to one of them. Ours beyond v2.",
    },
    {
        "name": "webhooks",
        "x-displayName": "Webhooks",
        "description": "Be called when jobs have ended: by endpoints of the workspace, or by the "
        "`webhook_url` of a job. Ours beyond v2, signed as Standard Webhooks wants it.",
    },
    {
        "name": "health",
        "x-displayName": "Health",
        "description": "For load balancers and operators. No key is needed.",
    },
)


class ErrorBody(BaseModel):
    """What went wrong."""

    code: str
    message: str
    details: dict[str, Any] | None


class ErrorEnvelope(BaseModel):
    """Every refusal looks like this, whatever the status. `code` is stable, `message` is not."""

    error: ErrorBody


def public_document(routes: Sequence[BaseRoute]) -> Json:
    """The contract of callers."""
    document: Json = get_openapi(
        title="Comfyburst",
        version=version("comfyburst"),
        summary="Any ComfyUI workflow as a durable API. Comfy API v2, and more.",
        description=introduction(),
        routes=routes,
        tags=[dict(tag) for tag in TAGS],
        servers=[{"url": "/", "description": "The server this document came from."}],
        contact={"name": "The Comfyburst maintainers"},
        license_info={"name": "MIT", "identifier": "MIT"},
    )
    document["security"] = [{"bearerAuth": []}]
    for _, _, operation in operations(document):
        _complete(operation)
    return _ordered(_with_shared_responses(_with_components(document)))


def text_of(document: Json) -> str:
    """As it is committed and served."""
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def introduction() -> str:
    """The chapters before the operations."""
    text = (_HERE / "introduction.md").read_text(encoding="utf-8")
    return text.replace("{refusals}", refusals_table()).replace("{failures}", failures_table())


def operations(document: Json) -> Iterable[tuple[str, str, Json]]:
    """Every operation of a document, with its path and method."""
    for path, methods in cast(dict[str, Json], document["paths"]).items():
        for method, operation in methods.items():
            yield path, method, cast(Json, operation)


def _complete(operation: Json) -> None:
    """Add to a route's own description what the table says."""
    known = OPERATIONS[operation["operationId"]]
    operation["parameters"] = [
        *(_parameter(given) for given in operation.get("parameters", [])),
        *(dict(parameter) for parameter in known.parameters),
    ]
    if not operation["parameters"]:
        del operation["parameters"]
    if known.is_open:
        operation["security"] = []
    if known.body is not None:
        content = {"schema": ref(known.body.__name__), "examples": _examples(known.body_examples)}
        operation["requestBody"] = _request_body("application/json", content)
        operation["requestBody"]["required"] = not known.is_body_optional
    if known.multipart is not None:
        content = {"schema": known.multipart, "examples": _examples(known.body_examples)}
        operation["requestBody"] = _request_body("multipart/form-data", content)
    if known.other_body is not None:
        media_type, schema, example_name = known.other_body
        content = {"schema": schema, "examples": _examples((example_name,))}
        operation["requestBody"]["content"][media_type] = content
    if known.events is not None:
        operation["x-sse-events"] = {
            name: {
                "description": what,
                "schema": _SCHEMA_REF.format(model=_shown_name(model.__name__)),
            }
            for name, (model, what) in known.events.items()
        }
        operation["description"] += _events_table(known)
    if samples := SAMPLES.get(operation["operationId"]):
        operation["x-codeSamples"] = [{"lang": s.lang, "source": s.source} for s in samples]
    operation["responses"] = _responses(operation["responses"], known)


def _parameter(given: Json) -> Json:
    # A header or query parameter is absent or a text; it is never null.
    schema = tidy(given["schema"])
    match schema.get("type"):
        case [kind, "null"]:
            schema["type"] = kind
            if "enum" in schema:
                schema["enum"] = [word for word in schema["enum"] if word is not None]
        case _:
            pass
    schema.pop("description", None)
    return {**given, "schema": schema}


def _request_body(media_type: str, content: Json) -> Json:
    return {"required": True, "content": {media_type: content}}


def _events_table(known: Operation) -> str:
    rows = [
        f"| `{name}` | {what} | {_fields(model)} |"
        for name, (model, what) in (known.events or {}).items()
    ]
    return "\n\n" + "\n".join(
        ["| `event` | Meaning | `data`; what has a `?` may be absent |", "|---|---|---|", *rows]
    )


def _fields(model: type[BaseModel]) -> str:
    schema = model.model_json_schema(mode="serialization")
    required = schema.get("required", [])
    return ", ".join(
        f"`{name}`" + ("" if name in required else "?") for name in schema["properties"]
    )


def _responses(declared: Json, known: Operation) -> Json:
    made = {
        str(status): _stream(reply, known.events)
        if known.events
        else _reply(declared.get(str(status), {}), reply)
        for status, reply in known.replies.items()
    }
    for status in sorted({BY_KEY[key].status for key in known.codes}):
        refusals = [BY_KEY[key] for key in known.codes if BY_KEY[key].status == status]
        made[str(status)] = _refused(refusals, has_body=known.has_body)
    return made


def _reply(declared: Json, reply: Reply) -> Json:
    made: Json = {
        "description": reply.description or declared["description"],
        "headers": _headers((_REQUEST_ID, *reply.headers)),
    }
    schema = reply.schema or _declared_schema(declared)
    if schema and (reply.examples or reply.schema):
        made["content"] = {reply.media_type: {"schema": dict(schema)}}
        if reply.examples:
            made["content"][reply.media_type]["examples"] = _examples(reply.examples)
    return made


def _stream(reply: Reply, events: Events) -> Json:
    # Before OpenAPI 3.2 has `itemSchema`, the schema of a stream is read as that of each frame.
    frames = [_frame(name, model) for name, (model, _) in events.items()]
    content = {"schema": {"oneOf": frames}, "examples": _examples(reply.examples)}
    return {
        "description": reply.description,
        "headers": _headers((_REQUEST_ID,)),
        "content": {"text/event-stream": content},
    }


def _frame(event: str, model: type[BaseModel]) -> Json:
    data = {"contentMediaType": "application/json", "contentSchema": ref(model.__name__)}
    return {
        "title": event,
        "type": "object",
        "required": ["event", "data"],
        "properties": {
            "event": {"type": "string", "const": event},
            "id": {"type": "string"},
            "data": {"type": "string", **data},
        },
    }


def _declared_schema(declared: Json) -> Json | None:
    return declared.get("content", {}).get("application/json", {}).get("schema")


def _refused(refusals: list[Refusal], *, has_body: bool) -> Json:
    names = ", ".join(f"`{refusal.code}`" for refusal in refusals)
    extra = dict.fromkeys(header for refusal in refusals for header in refusal.headers)
    made: Json = {
        "description": names if has_body else HTTPStatus(refusals[0].status).phrase + ".",
        "headers": _headers((_REQUEST_ID, *extra)),
    }
    if has_body:
        examples = {r.name: {"$ref": f"#/components/examples/{r.name}"} for r in refusals}
        content = {"schema": ref("ErrorEnvelope"), "examples": examples}
        made["content"] = {"application/json": content}
    return made


def _headers(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _examples(examples: Examples) -> Json:
    return {name: {"$ref": f"#/components/examples/{name}"} for name in examples}


def _with_components(document: Json) -> Json:
    models: list[type[BaseModel]] = [ErrorEnvelope]
    models += [o.body for o in OPERATIONS.values() if o.body is not None]
    for operation in OPERATIONS.values():
        models += [model for model, _ in (operation.events or {}).values()]
    schemas = ours({**document["components"]["schemas"], **_schemas(models)})
    names = {name: _shown_name(name) for name in schemas}
    document["components"] = {
        "securitySchemes": {
            "bearerAuth": {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key, `cb_…`: `comfyburst keys create` makes one. A key "
                "belongs to one workspace and sees nothing of another.",
            }
        },
        "schemas": {names[name]: tidy(schemas[name]) for name in sorted(schemas)},
        "headers": {name: dict(HEADERS[name]) for name in sorted(HEADERS)},
        "examples": _all_examples(),
    }
    return renamed(document, names)


def _with_shared_responses(document: Json) -> Json:
    """Refusals that many operations have in common, written once."""
    used = Counter(_response_name(r) for _, _, o in operations(document) for r in _refusals(o))
    shared: Json = {}
    for _, _, operation in operations(document):
        for status, response in operation["responses"].items():
            name = _response_name((status, response))
            if used[name] > 1:
                shared[name] = response
                operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    document["components"]["responses"] = {name: shared[name] for name in sorted(shared)}
    return document


def _refusals(operation: Json) -> Iterable[tuple[str, Json]]:
    return [(s, r) for s, r in operation["responses"].items() if s >= "400"]


def _response_name(response: tuple[str, Json]) -> str:
    status, body = response
    codes = body.get("content", {}).get("application/json", {}).get("examples", {"head": None})
    return "-".join((status, *codes))


def _shown_name(name: str) -> str:
    return name.removesuffix("Out")


def _schemas(models: Sequence[type[BaseModel]]) -> Json:
    bodies = {operation.body for operation in OPERATIONS.values()}
    _, definitions = models_json_schema(
        [(m, "validation" if m in bodies else "serialization") for m in dict.fromkeys(models)],
        ref_template=_SCHEMA_REF,
    )
    return definitions["$defs"]


def _all_examples() -> Json:
    made: Json = {
        name: {"summary": summary, "value": example(name)} for name, summary in SUMMARIES.items()
    }
    for refusal in REFUSALS:
        made[refusal.name] = {"summary": refusal.code, "value": refusal.envelope()}
    return made


def _ordered(document: Json) -> Json:
    first = ("openapi", "info", "servers", "security", "tags", "paths", "components")
    return {key: document[key] for key in first}
