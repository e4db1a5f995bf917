"""Values typed into a node, and the choice between two."""

from __future__ import annotations

from typing import Any, ClassVar

from comfy_images.engine.core.node import CoreNode, Inputs

_FAR = 2**63 - 1
_SWITCHED: tuple[str, dict[str, Any]] = (
    "COMFY_MATCHTYPE_V3",
    {"lazy": True, "template": {"template_id": "switch", "allowed_types": "*"}},
)


class _Primitive(CoreNode):
    """Passes its value on."""

    CATEGORY = "utils/primitive"

    def run(self, value: Any) -> tuple[Any]:
        return (value,)


class PrimitiveInt(_Primitive):
    RETURN_TYPES = ("INT",)
    required: ClassVar[Inputs] = {
        "value": ("INT", {"min": -_FAR, "max": _FAR, "control_after_generate": True})
    }


class PrimitiveFloat(_Primitive):
    RETURN_TYPES = ("FLOAT",)
    required: ClassVar[Inputs] = {"value": ("FLOAT", {"min": -_FAR, "max": _FAR, "step": 0.1})}


class PrimitiveString(_Primitive):
    RETURN_TYPES = ("STRING",)
    required: ClassVar[Inputs] = {"value": ("STRING", {"multiline": False})}


class PrimitiveStringMultiline(_Primitive):
    RETURN_TYPES = ("STRING",)
    required: ClassVar[Inputs] = {"value": ("STRING", {"multiline": True})}


class PrimitiveBoolean(_Primitive):
    RETURN_TYPES = ("BOOLEAN",)
    required: ClassVar[Inputs] = {"value": ("BOOLEAN", {})}


class ComfySwitchNode(CoreNode):
    """Only the chosen side is computed."""

    RETURN_TYPES = ("COMFY_MATCHTYPE_V3",)
    RETURN_NAMES = ("output",)
    OUTPUT_MATCHTYPES = ("switch",)
    CATEGORY = "logic"
    EXPERIMENTAL = True
    required: ClassVar[Inputs] = {
        "switch": ("BOOLEAN", {}),
        "on_false": _SWITCHED,
        "on_true": _SWITCHED,
    }

    def check_lazy_status(
        self, *, switch: bool, on_false: Any = None, on_true: Any = None
    ) -> list[str]:
        name, value = ("on_true", on_true) if switch else ("on_false", on_false)
        return [name] if value is None else []

    def run(self, *, switch: bool, on_false: Any = None, on_true: Any = None) -> tuple[Any]:
        return (on_true if switch else on_false,)
