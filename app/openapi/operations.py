"""What each operation takes and answers beyond its route: codes, examples, headers, bodies.

The one table that ties operations to error codes. Tests hold it to the code (every code the
application raises is documented) and to the wire (every example is what a front door answers).
"""

from collections.abc import Mapping
from typing import Final

from app.assets.schemas import FromHash
from app.jobs.retry_routes import RetryAllRequest, RetryRequest
from app.jobs.schemas import JobRequest
from app.openapi.events import JOB_EVENTS, WORKSPACE_EVENTS
from app.openapi.operation import ANY, BODY, JSON, READ, WRITE, Operation, Reply
from app.openapi.parts import IDEMPOTENCY_KEY, IF_NONE_MATCH, LABELS, RANGE, UPLOAD
from app.openapi.workflow_operations import WORKFLOWS
from app.webhooks.schemas import EndpointPatch, EndpointRequest, RotateRequest

_BINARY: Final = {"type": "string", "format": "binary"}
_ASSET_REF: Final = {"$ref": "#/components/schemas/Asset"}
_FILE_HEADERS: Final = ("ETag", "Accept-Ranges", "Content-Disposition")

OPERATIONS: Final[Mapping[str, Operation]] = {
    "postJobs": Operation(
        codes=(
            *WRITE,
            *JSON,
            "400 invalid_request",
            "404 workflow_not_found",
            "404 version_not_found",
            "409 workflow_archived",
            "422 invalid_workflow",
            "422 invalid_inputs",
            "422 workflow_format_ui",
            "422 missing_asset",
            "422 backend_unavailable",
            "422 invalid_webhook_url",
            "422 idempotency_key_reuse",
            "429 queue_full",
        ),
        body=JobRequest,
        body_examples=(
            "request_poster",
            "request_by_name",
            "request_by_name_sdk",
            "request_with_file",
            "request_full",
        ),
        replies={
            200: Reply(("dry_run",)),
            201: Reply(
                (
                    "job_queued",
                    "job_by_name",
                    "job_succeeded",
                ),
                headers=("Idempotent-Replayed", "Preference-Applied"),
            ),
        },
    ),
    "listJobs": Operation(
        codes=(
            *READ,
            "400 invalid_cursor",
            "400 invalid_metadata_filter",
            "400 invalid_request",
            "422 invalid_request",
        ),
        parameters=(LABELS,),
        replies={200: Reply(("job_page",))},
    ),
    "getJob": Operation(
        codes=(*READ, "404 job_not_found", "422 invalid_request"),
        replies={
            200: Reply(
                (
                    "job_succeeded",
                    "job_running",
                    "job_failed",
                )
            )
        },
    ),
    "getJobWorkflow": Operation(
        codes=(*READ, "404 job_not_found"),
        replies={200: Reply(("job_workflow",))},
    ),
    "getJobLogs": Operation(
        codes=(*READ, "404 job_not_found"),
        replies={200: Reply(("job_log",)), 204: Reply()},
    ),
    "getJobEvents": Operation(
        codes=(*READ, "404 job_not_found", "429 too_many_streams"),
        events=JOB_EVENTS,
        replies={
            200: Reply(
                ("job_events",),
                description="The stream.",
            )
        },
    ),
    "cancelJob": Operation(
        codes=(*WRITE, "404 job_not_found"),
        replies={
            200: Reply(
                (
                    "job_canceling",
                    "job_succeeded",
                )
            )
        },
    ),
    "retryJob": Operation(
        codes=(
            *WRITE,
            *JSON,
            "400 invalid_request",
            "404 job_not_found",
            "409 job_not_ended",
            "422 missing_asset",
            "422 backend_unavailable",
            "422 idempotency_key_reuse",
            "429 queue_full",
        ),
        body=RetryRequest,
        body_examples=("request_retry",),
        is_body_optional=True,
        replies={201: Reply(("job_retried",), headers=("Idempotent-Replayed",))},
    ),
    "retryJobs": Operation(
        codes=(*WRITE, *JSON, "429 queue_full"),
        body=RetryAllRequest,
        body_examples=("request_retry_all",),
        replies={201: Reply(("retried_jobs",))},
    ),
    "getEvents": Operation(
        codes=(*READ, "400 invalid_cursor", "422 invalid_request", "429 too_many_streams"),
        events=WORKSPACE_EVENTS,
        replies={
            200: Reply(
                ("workspace_events",),
                description="The stream.",
            )
        },
    ),
    "postAssets": Operation(
        codes=(
            *WRITE,
            *BODY,
            "409 hash_mismatch",
            "422 invalid_hash",
            "422 invalid_file_path",
            "503 storage_unavailable",
            "507 storage_full",
        ),
        multipart=UPLOAD,
        parameters=(IDEMPOTENCY_KEY,),
        body_examples=("request_upload",),
        replies={
            200: Reply(
                ("asset_from_hash",),
                description="Kept; the workspace had its bytes already.",
                schema=_ASSET_REF,
            ),
            201: Reply(("asset_uploaded",)),
        },
    ),
    "assetFromHash": Operation(
        codes=(
            *WRITE,
            *JSON,
            "404 blob_not_found",
            "422 invalid_hash",
            "422 invalid_file_path",
        ),
        body=FromHash,
        body_examples=("request_from_hash",),
        replies={
            200: Reply(
                ("asset_from_hash",),
                description="The same hash with the same `file_path` was there.",
                schema=_ASSET_REF,
            ),
            201: Reply(("asset_from_hash",)),
        },
    ),
    "headAssetByHash": Operation(
        codes=(*READ, "404 blob_not_found"),
        replies={200: Reply()},
        has_body=False,
    ),
    "getAsset": Operation(
        codes=(*READ, "404 asset_not_found"),
        replies={
            200: Reply(
                (
                    "asset",
                    "asset_of_job",
                )
            )
        },
    ),
    "deleteAsset": Operation(
        codes=(*WRITE, "404 asset_not_found", "409 asset_in_use"),
        replies={204: Reply()},
    ),
    "getAssetContent": Operation(
        codes=(
            *READ,
            "404 asset_not_found",
            "404 output_unavailable",
            "416 range_not_satisfiable",
            "503 storage_unavailable",
        ),
        parameters=(RANGE, IF_NONE_MATCH),
        replies={
            200: Reply(headers=_FILE_HEADERS, media_type="*/*", schema=_BINARY),
            206: Reply(
                headers=("Content-Range", *_FILE_HEADERS),
                description="The range that was asked for.",
                media_type="*/*",
                schema=_BINARY,
            ),
            302: Reply(headers=("Location",), description="The bytes are there."),
            304: Reply(headers=("ETag",), description="Your copy is the same."),
        },
    ),
    "headAssetContent": Operation(
        codes=(
            *READ,
            "404 asset_not_found",
            "404 output_unavailable",
            "416 range_not_satisfiable",
            "503 storage_unavailable",
        ),
        parameters=(RANGE, IF_NONE_MATCH),
        replies={
            200: Reply(headers=("Content-Length", *_FILE_HEADERS)),
            206: Reply(
                headers=("Content-Range", *_FILE_HEADERS),
                description="The range that was asked for.",
            ),
            302: Reply(headers=("Location",), description="The bytes are there."),
            304: Reply(headers=("ETag",), description="Your copy is the same."),
        },
        has_body=False,
    ),
    **WORKFLOWS,
    "listWebhookEndpoints": Operation(codes=READ, replies={200: Reply(("webhook_endpoints",))}),
    "postWebhookEndpoint": Operation(
        codes=(*WRITE, *JSON, "409 endpoint_limit", "422 invalid_webhook_url"),
        body=EndpointRequest,
        body_examples=("request_webhook_endpoint",),
        replies={201: Reply(("webhook_endpoint_added",))},
    ),
    "getWebhookEndpoint": Operation(
        codes=(*READ, "404 endpoint_not_found"),
        replies={200: Reply(("webhook_endpoint", "webhook_endpoint_disabled"))},
    ),
    "patchWebhookEndpoint": Operation(
        codes=(*WRITE, *JSON, "404 endpoint_not_found", "422 invalid_webhook_url"),
        body=EndpointPatch,
        body_examples=("request_webhook_change",),
        replies={200: Reply(("webhook_endpoint",))},
    ),
    "deleteWebhookEndpoint": Operation(
        codes=(*WRITE, "404 endpoint_not_found"), replies={204: Reply()}
    ),
    "rotateWebhookSecret": Operation(
        codes=(*WRITE, *JSON, "404 endpoint_not_found"),
        body=RotateRequest,
        body_examples=("request_webhook_rotation",),
        replies={200: Reply(("webhook_endpoint_rotated",))},
    ),
    "testWebhookEndpoint": Operation(
        codes=(*WRITE, "404 endpoint_not_found", "429 test_limit"),
        replies={202: Reply(("webhook_delivery_pending",))},
    ),
    "getWebhookSecret": Operation(codes=READ, replies={200: Reply(("webhook_secret",))}),
    "rotateOwnWebhookSecret": Operation(
        codes=(*WRITE, *JSON),
        body=RotateRequest,
        body_examples=("request_webhook_rotation",),
        replies={200: Reply(("webhook_secret",))},
    ),
    "listWebhookDeliveries": Operation(
        codes=(*READ, "400 invalid_cursor", "422 invalid_request"),
        replies={200: Reply(("webhook_deliveries",))},
    ),
    "getWebhookDelivery": Operation(
        codes=(*READ, "404 delivery_not_found"),
        replies={200: Reply(("webhook_delivery",))},
    ),
    "redeliverWebhook": Operation(
        codes=(*WRITE, "404 delivery_not_found", "409 endpoint_disabled", "409 attempts_used"),
        replies={202: Reply(("webhook_delivery_pending",))},
    ),
    "getHealth": Operation(codes=ANY, replies={200: Reply(("health",))}, is_open=True),
    "getLiveness": Operation(codes=ANY, replies={200: Reply(("alive",))}, is_open=True),
    "getReadiness": Operation(
        codes=(*ANY, "503 upstream_unreachable", "503 not_migrated"),
        replies={200: Reply(("ready",))},
        is_open=True,
    ),
}
