"""What the smaller core nodes share: they declare their inputs as data."""

from __future__ import annotations

from typing import Any, ClassVar

Inputs = dict[str, tuple[Any, ...]]


class CoreNode:
    """Subclasses list their inputs in /object_info's words and have a `run`."""

    FUNCTION = "run"
    RETURN_TYPES: ClassVar[tuple[str, ...]] = ()
    required: ClassVar[Inputs] = {}
    optional: ClassVar[Inputs] = {}
    hidden: ClassVar[Inputs] = {}

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:  # noqa: N802 - ComfyUI's name
        groups = {"required": cls.required, "optional": cls.optional, "hidden": cls.hidden}
        return {group: inputs for group, inputs in groups.items() if inputs or group == "required"}


def whole(default: int, low: int, high: int) -> tuple[str, dict[str, Any]]:
    """A whole number within bounds."""
    return "INT", {"default": default, "min": low, "max": high, "step": 1}


def combo(options: list[str]) -> tuple[str, dict[str, Any]]:
    """One of several, in the newer form."""
    return "COMBO", {"multiselect": False, "options": options}


METADATA: Inputs = {"prompt": ("PROMPT",), "extra_pnginfo": ("EXTRA_PNGINFO",)}
