"""Environments as other tools write them down, turned into a TOML of ours. Pure.

Formats, as published in November 2026: ComfyUI-Manager's snapshot (its `get_current_snapshot`),
comfy-cli's comfy-lock.yaml (its README, "Beta Feature"), comfy-pack's snapshot.json.
"""

from comfy_images.importing.draft import Draft, NotKnownError
from comfy_images.importing.formats import draft_of
from comfy_images.importing.toml import toml_of

__all__ = ["Draft", "NotKnownError", "draft_of", "toml_of"]
