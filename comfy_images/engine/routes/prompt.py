"""POST /prompt: validate and queue a graph. GET /prompt: how many remain."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from comfy_images.engine.execution.reporter import now_ms
from comfy_images.engine.queue_item import QueueItem
from comfy_images.engine.validation import validate_prompt
from comfy_images.engine.validation.errors import no_prompt

if TYPE_CHECKING:
    from comfy_images.engine.node_type import JsonObject
    from comfy_images.engine.server import Engine

_SECRETS = ("auth_token_comfy_org", "api_key_comfy_org")  # never in /queue or /history (sheet §3)


@dataclass(frozen=True, slots=True)
class PromptRoutes:
    engine: Engine

    async def get(self, _request: web.Request) -> web.Response:
        return web.json_response(self.engine.exec_info())

    async def post(self, request: web.Request) -> web.Response:
        """Queue a prompt.

        Malformed bodies raise and become 500, which is what ComfyUI 0.8.0 answers (sheet §1).
        """
        body = await request.json()
        if "prompt" not in body:
            return web.json_response({"error": no_prompt(), "node_errors": {}}, status=400)
        number = self._number(body)
        verdict = validate_prompt(
            body["prompt"], self.engine.registry, body.get("partial_execution_targets")
        )
        extra_data = _extra_data(body)
        if verdict.error is not None:
            answer = {"error": verdict.error, "node_errors": verdict.node_errors}
            return web.json_response(answer, status=400)
        prompt_id = str(body.get("prompt_id", uuid.uuid4()))
        item = QueueItem(number, prompt_id, body["prompt"], extra_data, verdict.outputs)
        self.engine.queue.put(item)
        return web.json_response(
            {"prompt_id": prompt_id, "number": number, "node_errors": verdict.node_errors}
        )

    def _number(self, body: JsonObject) -> float:
        """The given number, or the next one; `front` makes that negative, hence first."""
        if "number" in body:
            return float(body["number"])
        number = next(self.engine.prompt_numbers)
        return -number if body.get("front") else number


def _extra_data(body: JsonObject) -> JsonObject:
    extra_data = body.get("extra_data", {})
    if "client_id" in body:
        extra_data["client_id"] = body["client_id"]
    for secret in _SECRETS:
        extra_data.pop(secret, None)
    extra_data["create_time"] = now_ms()
    return extra_data


def routes(engine: Engine) -> list[web.RouteDef]:
    handlers = PromptRoutes(engine)
    return [web.get("/prompt", handlers.get), web.post("/prompt", handlers.post)]
