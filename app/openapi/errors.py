"""Which refusals a caller can meet: each code once, with its message as sent, and what to do.

A test collects the codes that the application raises and demands that each stands here, or says
why no caller sees it.
"""

from collections.abc import Mapping
from typing import Any, Final

from app.openapi.refusal import Refusal
from app.openapi.workflow_errors import WORKFLOWS
from gpu_functions.contract import RETRY_CLASS, FailureCode, RetryClass


def _of_fields(field: str, reason: str) -> dict[str, Any]:
    return {"errors": [{"field": field, "reason": reason}]}


def _of_node(node_id: str, field: str, reason: str, message: str) -> dict[str, Any]:
    problem = {"field": field, "reason": reason, "message": message}
    return {"node_errors": {node_id: [problem]}}


_NO_ASSET: Final = "01a20ed5-0261-7350-a2b2-c7082f2b0b87"

_OTHERS: Final = (
    Refusal(
        "400 bad_host",
        "This host name is not ours. Add it to COMFYBURST_ALLOWED_HOSTS or set PUBLIC_URL.",
        "The `Host` header names no host of this server. The operator allows it.",
    ),
    Refusal(
        "400 invalid_http",
        "This is not HTTP/1.1 as we read it.",
        "The request line or a header is malformed; the connection is closed.",
    ),
    Refusal(
        "400 invalid_request",
        "Idempotency-Key: 1 to 255 characters.",
        "A header or a filter has a value it cannot have; the message names it.",
    ),
    Refusal(
        "400 invalid_cursor",
        "This cursor is not one of ours.",
        "Begin without a cursor.",
    ),
    Refusal(
        "400 invalid_metadata_filter",
        "NUL characters are not allowed.",
        "A `metadata[key]` filter holds what no label can hold.",
    ),
    Refusal(
        "401 unauthorized",
        "No valid API key was given. Send `Authorization: Bearer cb_…`; "
        "`comfyburst keys create` makes one.",
        "The key is missing, misspelt or revoked.",
        headers=("WWW-Authenticate",),
    ),
    Refusal(
        "403 forbidden",
        "This key does not carry the scope 'jobs:write'.",
        "Use a key with that scope.",
    ),
    Refusal(
        "403 foreign_origin",
        "Another website may not write here.",
        "A browser sent this for a page of another origin. Call from a server, or serve the page "
        "under `PUBLIC_URL`.",
    ),
    Refusal(
        "403 bad_signature",
        "This URL was altered or has expired; ask for a fresh one.",
        "Of signed file URLs: get the asset or the job again, it carries a fresh one.",
    ),
    Refusal(
        "404 not_found",
        "There is nothing at this address.",
        "The path is wrong; no path ends in a slash.",
    ),
    Refusal(
        "404 job_not_found",
        "There is no such job.",
        "It never was, has expired, or is another workspace's: the three look alike.",
    ),
    Refusal(
        "404 asset_not_found",
        "There is no such asset.",
        "It never was, is deleted or expired, or is another workspace's.",
    ),
    Refusal(
        "404 endpoint_not_found",
        "There is no such endpoint.",
        "It never was, is deleted, or is another workspace's.",
    ),
    Refusal(
        "404 delivery_not_found",
        "There is no such delivery.",
        "It never was, went with its job, or is another workspace's.",
    ),
    Refusal(
        "404 blob_not_found",
        "There are no bytes of that hash to mint from.",
        "Upload the file.",
    ),
    Refusal(
        "404 output_unavailable",
        "The bytes of this file are gone from storage.",
        "The record is there, its file is not: somebody emptied the storage by hand.",
    ),
    Refusal(
        "405 method_not_allowed",
        "This address does not know that method.",
        "`Allow` names one that it knows.",
        headers=("Allow",),
    ),
    Refusal(
        "408 request_timeout",
        "The body came too slowly; send it again.",
        "Less than half a kilobyte a second arrived for 20 s.",
    ),
    Refusal(
        "409 hash_mismatch",
        "The bytes received hash to "
        "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85, "
        "not to what was expected.",
        "The file changed on the way, or `expected_hash` is of another one. Nothing was kept.",
    ),
    Refusal(
        "409 asset_in_use",
        "A job still depends on this asset.",
        "Outputs go with their job; inputs are free once it has ended.",
    ),
    Refusal(
        "409 job_not_ended",
        "This job has not ended. Cancel it first, or wait for its end.",
        "Only a job that has ended can be run again.",
    ),
    Refusal(
        "409 endpoint_limit",
        "A workspace may have 20 webhook endpoints; delete one first.",
        "The operator sets the limit.",
    ),
    Refusal(
        "409 endpoint_disabled",
        "The endpoint of this delivery is disabled or deleted. Enable it first.",
        "`PATCH` the endpoint with `enabled: true`, then deliver again.",
    ),
    Refusal(
        "409 attempts_used",
        "This delivery has had 30 attempts: no more are made.",
        "Get the job itself: it says what the delivery would.",
    ),
    Refusal(
        "413 payload_too_large",
        "The body is larger than 10000000 bytes.",
        "`details.max_bytes` says the limit; the operator sets it. Pictures belong into assets, "
        "not into the graph.",
        details={"max_bytes": 10_000_000},
    ),
    Refusal(
        "415 unsupported_media_type",
        "Send Content-Type: application/json, not 'text/plain'.",
        "Bodies are JSON, uploads `multipart/form-data`; neither is compressed.",
    ),
    Refusal(
        "416 range_not_satisfiable",
        "The file has 15 bytes.",
        "`Content-Range` says how long the file is.",
        headers=("Content-Range",),
    ),
    Refusal(
        "422 invalid_json",
        "The body is not JSON: unexpected character, expected a string key: line 1 column 2 (char 1).",
        "Not a JSON object, or deeper than 64 levels, or with NUL characters or NaN in it.",
    ),
    Refusal(
        "422 invalid_request",
        "priority: Input should be less than or equal to 100",
        "`details.errors` names each field and what is wrong with it.",
        details=_of_fields("priority", "Input should be less than or equal to 100"),
    ),
    Refusal(
        "422 invalid_workflow",
        "Node 2 (SaveImage): Required input 'images' is missing.",
        "`details.node_errors` names every node and input that is wrong; `details.missing`, of a push or an "
        "editor's file, says where absent nodes are to be had.",
        details=_of_node("2", "images", "missing_input", "Required input 'images' is missing."),
    ),
    Refusal(
        "422 workflow_format_ui",
        "This is a workflow as the ComfyUI editor saves it, and no worker has said yet which nodes its "
        "environment has. Start one; or export it with Workflow > Export (API).",
        "The editor's files are converted as soon as a worker of the environment has started. One of which "
        "no node saves or shows anything is refused so, too.",
    ),
    Refusal(
        "422 missing_asset",
        f"The workflow names files that this workspace does not have: {_NO_ASSET}. "
        "Upload them first.",
        "`details.missing_ids` and `details.missing_paths` name them.",
        details={
            "missing_ids": [_NO_ASSET],
            "missing_paths": [],
            **_of_node("1", "image", "missing_asset", f"There is no file '{_NO_ASSET}'."),
        },
    ),
    Refusal(
        "422 backend_unavailable",
        "No worker has registered an environment named 'video'.",
        "Start a worker for it, or name an environment of `GET /readyz`.",
    ),
    Refusal(
        "422 idempotency_key_reuse",
        "This Idempotency-Key has been used; its job is named in the details.",
        "The key was used with another body: `details.job_id` is its job. Take a new key.",
        details={"job_id": "01a20ed4-faf1-70c7-b872-fe93be959e2f"},
    ),
    Refusal(
        "422 invalid_webhook_url",
        "A webhook goes to https:// on port 443 or http:// on port 80 of a public address, without "
        "user and password. (COMFYBURST_ALLOW_PRIVATE_URLS lets the operator allow private "
        "addresses and other ports.)",
        "Use a public address. On a laptop the operator may allow private ones.",
    ),
    Refusal(
        "422 invalid_hash",
        "A hash is written blake3: and 64 hexadecimal digits.",
        "No other hash is known.",
    ),
    Refusal(
        "422 invalid_file_path",
        "file_path must be a relative path without '..', at most 1,000 characters long.",
        "Choose another name.",
    ),
    Refusal(
        "429 queue_full",
        "10000 jobs of this workspace wait already, and at most 10000 may. Submit again when some "
        "have started, or cancel some.",
        "Try again after `Retry-After` seconds. The operator sets the limit by "
        "`COMFYBURST_MAX_QUEUED`.",
        headers=("Retry-After",),
    ),
    Refusal(
        "429 too_many_streams",
        "This server holds as many streams as it may. Try again shortly, or poll `urls.self`.",
        "Try again after `Retry-After` seconds; polling is not limited. The operator sets the limit "
        "by `COMFYBURST_MAX_STREAMS`.",
        headers=("Retry-After",),
    ),
    Refusal(
        "429 test_limit",
        "An endpoint is tested 10 times a minute at most.",
        "Try again after `Retry-After` seconds.",
        headers=("Retry-After",),
    ),
    Refusal(
        "431 headers_too_large",
        "The request line and headers are longer than 32768 bytes.",
        "Send less; cookies are not needed here.",
    ),
    Refusal(
        "500 upstream_error",
        "Something failed on our side; the request id leads to its log line.",
        "A bug of ours: give the operator the `X-Comfy-Request-Id`.",
    ),
    Refusal(
        "503 upstream_unreachable",
        "The database cannot be reached right now; nothing was recorded. Try again shortly.",
        "Try again after `Retry-After` seconds; with an `Idempotency-Key` that is safe.",
        headers=("Retry-After",),
    ),
    Refusal(
        "503 upstream_error",
        "The front door is restarting. Send the request again, with the same Idempotency-Key.",
        "It ended before it could answer; whether the request was carried out is unknown. Try again "
        "after `Retry-After` seconds.",
        headers=("Retry-After",),
    ),
    Refusal(
        "503 storage_unavailable",
        "Storage cannot be reached right now; nothing was kept. Try again shortly.",
        "Try again after `Retry-After` seconds.",
        headers=("Retry-After",),
    ),
    Refusal(
        "503 not_migrated",
        "Migrations are missing: 0002. Run `comfyburst migrate`.",
        "For the operator: the database is older than this server.",
        headers=("Retry-After",),
    ),
    Refusal(
        "507 storage_full",
        "There is no room left in storage; nothing was kept.",
        "For the operator.",
    ),
)

REFUSALS: Final = tuple(sorted((*_OTHERS, *WORKFLOWS), key=lambda refusal: refusal.status))
"""By status, and as they stand above where that is the same."""
BY_KEY: Final = {refusal.key: refusal for refusal in REFUSALS}

UNSEEN: Final = {
    "499 client_disconnected": "nobody is there to read it",
    "422 invalid_workspace_name": "only `comfyburst keys create` names workspaces",
}
"""Codes that nobody meets over HTTP, and why."""

FAILURES: Final[Mapping[FailureCode, str]] = {
    FailureCode.INVALID_WORKFLOW: "ComfyUI itself refused the graph.",
    FailureCode.MISSING_NODE: "The ComfyUI that ran it lacks a node class.",
    FailureCode.MISSING_MODEL: "It lacks a model file.",
    FailureCode.NODE_ERROR: "A node raised: `node_id`, `class_type` and `traceback` say which and where.",
    FailureCode.INPUT_DOWNLOAD: "An input file could not be fetched.",
    FailureCode.OUTPUT_UPLOAD: "An output file could not be stored.",
    FailureCode.GPU_OOM: "The GPU's memory was too small.",
    FailureCode.OUT_OF_MEMORY: "The machine's memory was too small.",
    FailureCode.COMFYUI_CRASHED: "ComfyUI died while it ran.",
    FailureCode.COMFYUI_UNREACHABLE: "The ComfyUI the worker is attached to stopped answering.",
    FailureCode.ENVIRONMENT_BOOT: "ComfyUI did not start.",
    FailureCode.STALLED: "Nothing moved for longer than the operator allows.",
    FailureCode.DEADLINE: "It did not end within `deadline_s`.",
    FailureCode.INTERRUPTED: "Its worker was taken away too often.",
    FailureCode.LEASE_EXPIRED: "Its worker stopped answering.",
    FailureCode.LOST: "Its GPU call vanished.",
    FailureCode.CAPACITY: "No GPU could be had.",
    FailureCode.POISONED: "Every start killed its worker.",
    FailureCode.STORAGE_FULL: "There was no room for its outputs.",
    FailureCode.BUDGET_EXCEEDED: "It would have cost more than it may.",
}
"""What `job.error.code` says."""

_WHAT_FOLLOWS: Final[Mapping[RetryClass, str]] = {
    RetryClass.INFRA: "tried again, up to `max_tries` starts",
    RetryClass.OOM: "final",
    RetryClass.USER: "final",
    RetryClass.TIMEOUT: "final",
    RetryClass.POISON: "final",
}


def refusals_table() -> str:
    """Every code, as a table of Markdown."""
    rows = [f"| {r.status} | `{r.code}` | {r.remedy} |" for r in REFUSALS]
    return "\n".join(["| | `error.code` | When, and what to do |", "|---|---|---|", *rows])


def failures_table() -> str:
    """Every reason for which a job fails, as a table of Markdown."""
    rows = [
        f"| `{code}` | {meaning} | {_WHAT_FOLLOWS[RETRY_CLASS[code]]} |"
        for code, meaning in FAILURES.items()
    ]
    return "\n".join(["| `job.error.code` | Meaning | Then |", "|---|---|---|", *rows])
