"""What Comfy API v2's document (2.0.0) holds: its operations with their answers, its required fields."""

from typing import Final

_ASSETS: Final = "/api/v2/assets"
_JOBS: Final = "/api/v2/jobs"

V2_OPERATIONS: Final = [
    ("post", _ASSETS, "postAssets", {"200", "201", "401", "403", "409", "422", "500"}),
    (
        "post",
        f"{_ASSETS}/from-hash",
        "assetFromHash",
        {"200", "201", "401", "403", "404", "500"},
    ),
    ("head", f"{_ASSETS}/by-hash/{{hash}}", "headAssetByHash", {"200", "401", "404", "500"}),
    ("get", f"{_ASSETS}/{{id}}", "getAsset", {"200", "401", "403", "404", "500"}),
    ("delete", f"{_ASSETS}/{{id}}", "deleteAsset", {"204", "401", "403", "404", "409", "500"}),
    (
        "get",
        f"{_ASSETS}/{{id}}/content",
        "getAssetContent",
        {"200", "206", "302", "401", "403", "404", "416", "500"},
    ),
    ("post", _JOBS, "postJobs", {"201", "401", "402", "403", "422", "429", "500"}),
    ("get", f"{_JOBS}/{{id}}", "getJob", {"200", "401", "403", "404", "429", "500"}),
    (
        "get",
        f"{_JOBS}/{{id}}/workflow",
        "getJobWorkflow",
        {"200", "401", "403", "404", "429", "500"},
    ),
    (
        "get",
        f"{_JOBS}/{{id}}/events",
        "getJobEvents",
        {"200", "401", "403", "404", "429", "500", "501"},
    ),
    ("post", f"{_JOBS}/{{id}}/cancel", "cancelJob", {"200", "401", "403", "404", "429", "500"}),
]
V2_STATUSES_WE_NEVER_ANSWER: Final = {
    "402",  # there are no credits
    "429",  # jobs queue without a bound, and streams are not counted
    "501",  # streams are served
}
V2_REQUIRED: Final = {
    "Asset": {
        "id",
        "hash",
        "size_bytes",
        "content_type",
        "created_at",
        "url",
        "url_expires_at",
    },
    "Job": {
        "id",
        "status",
        "created_at",
        "started_at",
        "completed_at",
        "expires_at",
        "queue_position",
        "progress",
        "outputs",
        "error",
        "urls",
    },
    "Workflow": {"workflow", "format"},
    "JobUrls": {"self", "events", "cancel"},
    "Progress": {"value", "nodes_done", "nodes_total"},
    "Output": {
        "node_id",
        "name",
        "type",
        "content_type",
        "size_bytes",
        "id",
        "hash",
        "url",
        "url_expires_at",
    },
    "JobError": {"code", "message"},
    "ErrorEnvelope": {"error"},
    "StatusEvent": {"status"},
    "PreviewEvent": {"node_id", "content_type", "data_base64"},
    "LogEvent": {"level", "message"},
}
