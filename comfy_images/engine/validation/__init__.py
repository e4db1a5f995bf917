"""Decides at POST /prompt whether a graph can run, with ComfyUI 0.8.0's errors (sheet §1)."""

from comfy_images.engine.validation.prompt import PromptVerdict, validate_prompt

__all__ = ["PromptVerdict", "validate_prompt"]
