"""BurstPoster: a typographic poster from a prompt and a seed, without a model."""

from typing import Any

from .drawing.render import render
from .host import as_image, progress

_SIDE = {"min": 64, "max": 4096, "step": 8}


class BurstPoster:
    """Draws in a blink on any machine, so a first workflow runs before any model is downloaded."""

    TITLE = "Burst Poster"
    CATEGORY = "comfyburst"
    DESCRIPTION = "Sets a prompt as a modernist poster. The same seed always gives the same pixels."
    FUNCTION = "draw"
    RETURN_TYPES = ("IMAGE",)
    RETURN_NAMES = ("image",)
    OUTPUT_TOOLTIPS = ("The poster, a batch of one.",)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        prompt = {
            "default": "Lighthouse at dusk",
            "multiline": True,
            "tooltip": "What the poster says. A first clause is set large, the rest as text.",
        }
        seed = {
            "default": 0,
            "min": 0,
            "max": 2**64 - 1,
            "control_after_generate": True,
            "tooltip": "Picks composition, palette and every detail.",
        }
        return {
            "required": {
                "prompt": ("STRING", prompt),
                "seed": ("INT", seed),
                "width": ("INT", {"default": 768, **_SIDE, "tooltip": "Width in pixels."}),
                "height": ("INT", {"default": 1024, **_SIDE, "tooltip": "Height in pixels."}),
            }
        }

    def draw(self, prompt: str, seed: int, width: int, height: int) -> tuple[object]:
        """ComfyUI's entry point."""
        return (as_image(render(prompt, seed, width, height, progress().step)),)
