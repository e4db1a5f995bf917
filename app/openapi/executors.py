"""The OpenAPI of `/internal`: what executors speak. For operators; no part of the public contract."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.routing import BaseRoute

from app.openapi.document import ErrorEnvelope, operations
from app.openapi.tidy import Json, ours, ref, tidy
from gpu_functions.contract import (
    ClaimRequest,
    EnvironmentRegistration,
    EventBatch,
    OutputRegistration,
)

REFUSALS: Final[Mapping[str, str]] = {
    "401 invalid_token": "The token is of another kind, altered or expired.",
    "403 forbidden": "The token is not for that backend or environment.",
    "403 wrong_type": "Storing a file: the `Content-Type` is not the signed one.",
    "404 environment_not_found": "The worker does not serve that environment.",
    "409 claim_refused": "The job has ended or runs elsewhere: return quietly.",
    "409 event_gap": "An event is missing; `details.expected` is its number. Nothing was applied.",
    "409 stale_epoch": "This run no longer counts: stop at once.",
    "422 event_refused": "The event is not possible in the job's state.",
    "422 output_limit": "The job has as many outputs, or bytes of them, as it may.",
    "422 output_not_registered": "This run registered no such output.",
    "422 output_not_stored": "The bytes are not there, or not as many as registered.",
    "400 wrong_length": "Storing a file: other than the signed number of bytes arrived.",
    "411 wrong_length": "Storing a file: `Content-Length` is not the signed one.",
    "412 already_written": "Storing a file: it is there already, each is written once.",
}
"""Beside those of the public API, which executors meet as well."""

_BODIES: Final[Mapping[str, type[BaseModel]]] = {
    "registerEnvironment": EnvironmentRegistration,
    "claim": ClaimRequest,
    "registerOutput": OutputRegistration,
    "takeEvents": EventBatch,
}
_ABOUT: Final = """
What workers and GPU calls say to the front door. It changes with the release that runs both;
nothing else should speak it. Three kinds of token, each good for one door: `worker`, `claim` and
`events` (the ticket carries it).
"""


def internal_document(routes: Sequence[BaseRoute]) -> Json:
    """The contract of executors."""
    rows = [f"| {key.replace(' ', ' | `')}` | {what} |" for key, what in REFUSALS.items()]
    table = "\n".join(["| | `error.code` | Meaning |", "|---|---|---|", *rows])
    document: Json = get_openapi(
        title="Comfyburst, for executors",
        version=version("comfyburst"),
        description=f"{_ABOUT}\n{table}",
        routes=routes,
    )
    for _, _, operation in operations(document):
        _complete(operation)
    document["security"] = [{"executor": []}]
    document["components"] = {
        "securitySchemes": {
            "executor": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        },
        "schemas": tidy(ours({**document["components"]["schemas"], **_schemas()})),
    }
    return document


def _complete(operation: Json) -> None:
    body = ref(_BODIES[operation["operationId"]].__name__)
    operation["requestBody"] = {"required": True, "content": _json(body)}
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = {
        "description": "Refused.",
        "content": _json(ref("ErrorEnvelope")),
    }


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _schemas() -> dict[str, Any]:
    models = [*_BODIES.values(), ErrorEnvelope]
    _, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    return definitions["$defs"]
