"""A prompt as /api/jobs shows it: while it waits or runs, and once it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comfy_images.engine.node_type import JsonObject
    from comfy_images.engine.queue_item import QueueItem


def queued_job(item: QueueItem, status: str) -> JsonObject:
    return {
        "id": item.prompt_id,
        "status": status,
        "priority": item.number,
        "create_time": item.extra_data["create_time"],
        "outputs_count": 0,
        **_workflow_id(item.extra_data),
    }


def finished_job(prompt_id: str, entry: JsonObject) -> JsonObject:
    """A history entry as a line of the list. An interrupted one is `failed`, as in 0.8.0."""
    number, _, _, extra_data, _ = entry["prompt"]
    messages: dict[str, JsonObject] = dict(entry["status"]["messages"])
    end = messages.get("execution_success") or messages.get("execution_interrupted")
    failure = messages.get("execution_error")
    files = _files(entry["outputs"])
    job: JsonObject = {
        "id": prompt_id,
        "status": "completed" if entry["status"]["completed"] else "failed",
        "priority": number,
        "create_time": extra_data["create_time"],
        "execution_start_time": messages["execution_start"]["timestamp"],
        "execution_end_time": (failure or end or {}).get("timestamp"),
        "outputs_count": len(files),
        **_workflow_id(extra_data),
    }
    if files:
        # The first that is kept, else the first at all.
        kept = (file for file in files if file.get("type") == "output")
        job["preview_output"] = next(kept, files[0])
    if failure is not None:
        job["execution_error"] = failure
    return job


def details(entry: JsonObject) -> JsonObject:
    """What a finished job shows beyond its line of the list."""
    _, _, prompt, extra_data, _ = entry["prompt"]
    return {
        "outputs": entry["outputs"],
        "execution_status": entry["status"],
        "workflow": {"prompt": prompt, "extra_data": extra_data},
    }


def _workflow_id(extra_data: JsonObject) -> JsonObject:
    """The id that ComfyUI's frontend gave the workflow, if it did."""
    match extra_data:
        case {"extra_pnginfo": {"workflow": {"id": str(workflow_id)}}}:
            return {"workflow_id": workflow_id}
        case _:
            return {}


def _files(outputs: dict[str, JsonObject]) -> list[JsonObject]:
    """The output files, in order; texts and flags are none."""
    return [
        {**file, "nodeId": node_id, "mediaType": media}
        for node_id, ui in outputs.items()
        for media, items in ui.items()
        for file in items
        if _is_file(file)
    ]


def _is_file(item: Any) -> bool:
    return isinstance(item, dict) and "filename" in item
