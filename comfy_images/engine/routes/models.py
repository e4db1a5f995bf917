"""/models and /embeddings: the model files beneath `models`, though the engine loads none.

Clients ask for them before they offer choices; what lies there is listed as ComfyUI lists it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from comfy_images.engine.server import Engine

_FOLDERS = [
    *("checkpoints", "configs", "loras", "vae", "text_encoders", "diffusion_models"),
    *("clip_vision", "style_models", "embeddings", "diffusers", "vae_approx", "controlnet"),
    *("gligen", "upscale_models", "latent_upscale_models", "custom_nodes", "hypernetworks"),
    *("photomaker", "classifiers", "model_patches", "audio_encoders"),
]


@dataclass(frozen=True, slots=True)
class ModelRoutes:
    engine: Engine

    async def folders(self, _request: web.Request) -> web.Response:
        return web.json_response(_FOLDERS)

    async def files(self, request: web.Request) -> web.Response:
        folder = request.match_info["folder"]
        if folder not in _FOLDERS:
            return web.Response(status=404)
        return web.json_response(self._files(folder))

    async def embeddings(self, _request: web.Request) -> web.Response:
        """By the names that prompts use: without what follows the last dot."""
        names = (PurePosixPath(name) for name in self._files("embeddings"))
        return web.json_response([str(name.with_suffix("")) for name in names])

    def _files(self, folder: str) -> list[str]:
        root = self.engine.folders.base / "models" / folder
        return sorted(
            (Path(at) / name).relative_to(root).as_posix()
            for at, _, names in os.walk(root)
            for name in names
        )


def routes(engine: Engine) -> list[web.RouteDef]:
    handlers = ModelRoutes(engine)
    return [
        web.get("/models", handlers.folders),
        web.get("/models/{folder}", handlers.files),
        web.get("/embeddings", handlers.embeddings),
    ]
