"""/api/jobs: prompts, wherever they are. Without a twin: `/jobs` is 404 in ComfyUI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from comfy_images.engine.job_query import BadQueryError, JobQuery
from comfy_images.engine.job_view import details, finished_job, queued_job

if TYPE_CHECKING:
    from comfy_images.engine.node_type import JsonObject
    from comfy_images.engine.server import Engine


@dataclass(frozen=True, slots=True)
class JobRoutes:
    engine: Engine

    async def index(self, request: web.Request) -> web.Response:
        try:
            query = JobQuery.of(request.query)
        except BadQueryError as error:
            return web.json_response({"error": str(error)}, status=400)
        history = self.engine.queue.history(None, 0)
        finished = [finished_job(prompt_id, entry) for prompt_id, entry in history.items()]
        return web.json_response(query.page(self._queued() + finished))

    async def get(self, request: web.Request) -> web.Response:
        """One job with its outputs, or as far as it is."""
        prompt_id = request.match_info["prompt_id"]
        for job in self._queued():
            if job["id"] == prompt_id:
                return web.json_response(job)
        entry = self.engine.queue.history_of(prompt_id)
        if entry is None:
            return web.json_response({"error": "Job not found"}, status=404)
        return web.json_response(finished_job(prompt_id, entry) | details(entry))

    async def cancel(self, request: web.Request) -> web.Response:
        """Take a job out of queue or run, whichever it is in; one that is in neither is no error."""
        prompt_id = request.match_info["prompt_id"]
        running, _ = self.engine.queue.snapshot()
        is_running = any(item.prompt_id == prompt_id for item in running)
        if is_running:
            self.engine.interrupt.aim(prompt_id)
        cancelled = self.engine.queue.delete(prompt_id) or is_running
        return web.json_response({"cancelled": cancelled})

    def _queued(self) -> list[JsonObject]:
        running, pending = self.engine.queue.snapshot()
        return [queued_job(item, "in_progress") for item in running] + [
            queued_job(item, "pending") for item in pending
        ]


def routes(engine: Engine) -> list[web.RouteDef]:
    handlers = JobRoutes(engine)
    ours = [
        web.get("/api/jobs", handlers.index),
        web.get("/api/jobs/{prompt_id}", handlers.get),
    ]
    if engine.options.cancels_jobs:
        ours.append(web.post("/api/jobs/{prompt_id}/cancel", handlers.cancel))
    return ours
