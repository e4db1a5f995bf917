"""/api/jobs/{id}: one prompt, wherever it is. Without a twin: `/jobs` is 404 in ComfyUI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from comfy_images.engine.node_type import JsonObject
    from comfy_images.engine.queue_item import QueueItem
    from comfy_images.engine.server import Engine


@dataclass(frozen=True, slots=True)
class JobRoutes:
    engine: Engine

    async def get(self, request: web.Request) -> web.Response:
        prompt_id = request.match_info["prompt_id"]
        job = self._queued(prompt_id) or self._finished(prompt_id)
        if job is None:
            return web.json_response({"error": "Job not found"}, status=404)
        return web.json_response(job)

    def _queued(self, prompt_id: str) -> JsonObject | None:
        running, pending = self.engine.queue.snapshot()
        for status, items in (("in_progress", running), ("pending", pending)):
            for item in items:
                if item.prompt_id == prompt_id:
                    return _queued_job(item, status)
        return None

    def _finished(self, prompt_id: str) -> JsonObject | None:
        entry = self.engine.queue.history_of(prompt_id)
        return None if entry is None else _finished_job(prompt_id, entry)


def _queued_job(item: QueueItem, status: str) -> JsonObject:
    return {
        "id": item.prompt_id,
        "status": status,
        "priority": item.number,
        "create_time": item.extra_data["create_time"],
        "outputs_count": 0,
        **_workflow_id(item.extra_data),
    }


def _finished_job(prompt_id: str, entry: JsonObject) -> JsonObject:
    """A history entry as a job. An interrupted one is `failed`, as in 0.8.0."""
    number, _, prompt, extra_data, _ = entry["prompt"]
    messages: dict[str, JsonObject] = dict(entry["status"]["messages"])
    end = messages.get("execution_success") or messages.get("execution_interrupted")
    failure = messages.get("execution_error")
    outputs: dict[str, JsonObject] = entry["outputs"]
    job: JsonObject = {
        "id": prompt_id,
        "status": "completed" if entry["status"]["completed"] else "failed",
        "priority": number,
        "create_time": extra_data["create_time"],
        "execution_start_time": messages["execution_start"]["timestamp"],
        "execution_end_time": (failure or end or {}).get("timestamp"),
        "outputs_count": sum(len(files) for ui in outputs.values() for files in ui.values()),
        "outputs": outputs,
        "execution_status": entry["status"],
        "workflow": {"prompt": prompt, "extra_data": extra_data},
        **_workflow_id(extra_data),
    }
    preview = _preview_output(outputs)
    if preview is not None:
        job["preview_output"] = preview
    if failure is not None:
        job["execution_error"] = failure
    return job


def _workflow_id(extra_data: JsonObject) -> JsonObject:
    """The id that ComfyUI's frontend gave the workflow, if it did."""
    match extra_data:
        case {"extra_pnginfo": {"workflow": {"id": str(workflow_id)}}}:
            return {"workflow_id": workflow_id}
        case _:
            return {}


def _preview_output(outputs: dict[str, JsonObject]) -> JsonObject | None:
    """The first output file that is kept, else the first file at all."""
    files: list[JsonObject] = [
        {**file, "nodeId": node_id, "mediaType": media}
        for node_id, ui in outputs.items()
        for media, items in ui.items()
        for file in items
        if _is_file(file)
    ]
    kept = (file for file in files if file.get("type") == "output")
    return next(kept, files[0] if files else None)


def _is_file(item: Any) -> bool:
    return isinstance(item, dict) and "filename" in item


def routes(engine: Engine) -> list[web.RouteDef]:
    return [web.get("/api/jobs/{prompt_id}", JobRoutes(engine).get)]
