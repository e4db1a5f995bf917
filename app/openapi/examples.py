"""What requests and answers look like: taken from a running front door, one file each.

Tests hold every example to its schema, and a front door to every example.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_FOLDER: Final = Path(__file__).parent / "examples"

SUMMARIES: Final[Mapping[str, str]] = {
    "request_poster": "A graph, and nothing else",
    "request_by_name": "A workflow that was pushed",
    "request_by_name_sdk": "The same, for clients that send an object",
    "request_with_file": "With an uploaded file",
    "request_full": "With labels, a priority and limits",
    "request_retry": "With a partner key, again",
    "request_retry_all": "What one bad night left",
    "request_webhook_endpoint": "Two of the four ends",
    "request_webhook_change": "Switched on again",
    "request_webhook_rotation": "An hour with both",
    "request_push": "A graph",
    "request_push_file": "A picture that ComfyUI saved",
    "request_bindings": "A label, a new name, and one input less",
    "request_alias": "Version 2",
    "request_rollback": "One step back",
    "workflow_named": "Two versions",
    "workflow_put_away": "Archived",
    "workflow_rolled_back": "At the first version again",
    "workflow_page": "One workflow, and there are more",
    "workflow_pushed": "The first version",
    "workflow_bound": "The second version",
    "workflow_versions": "Two versions",
    "workflow_version": "With its graph",
    "workflow_source": "As the editor saved it",
    "workflow_diff": "Other bindings",
    "workflow_schema": "A text and a seed",
    "workflow_code": "Two of the four",
    "webhook_endpoint": "One that answers",
    "webhook_endpoint_disabled": "One that answered 410",
    "webhook_endpoint_added": "With its secret",
    "webhook_endpoint_rotated": "With its new secret",
    "webhook_endpoints": "One endpoint",
    "webhook_secret": "Made once for each workspace",
    "webhook_delivery": "Delivered at the second attempt",
    "webhook_delivery_pending": "About to be made",
    "webhook_deliveries": "One delivery, and there are more",
    "request_upload": "A picture",
    "request_from_hash": "Under another name",
    "job_queued": "Just recorded",
    "job_by_name": "Of a named workflow",
    "dry_run": "A workflow that would run",
    "job_running": "Running",
    "job_canceling": "Being canceled",
    "job_succeeded": "Succeeded",
    "job_failed": "Failed",
    "job_retried": "The new job",
    "retried_jobs": "One was retried",
    "job_page": "One job, and there are more",
    "job_workflow": "A poster",
    "job_log": "Of a job that has ended",
    "job_events": "A poster, from the queue to its end",
    "workspace_events": "One job, with previews",
    "asset_uploaded": "New bytes",
    "asset_from_hash": "Known bytes",
    "asset": "An upload",
    "asset_of_job": "An output",
    "health": "Always this",
    "alive": "Always this",
    "ready": "One environment",
}


def example(name: str) -> Any:
    """The value: JSON, or the text of a stream."""
    stream = _FOLDER / f"{name}.sse"
    if stream.exists():
        return stream.read_text(encoding="utf-8")
    return json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
