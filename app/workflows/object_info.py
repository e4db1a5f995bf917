"""Reading ComfyUI's object_info: one input's type and options in either of its two notations. Pure.

Old: `[["a", "b"], {...}]`; new: `["COMBO", {"options": ["a", "b"], ...}]` (protocol sheet §1).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

_UPLOAD_FLAGS = ("image_upload", "video_upload", "audio_upload", "file_upload", "mesh_upload")
_MODEL_FILES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf", ".onnx", ".sft", ".pkl")


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of a node class."""

    name: str
    type: str
    required: bool
    options: Mapping[str, Any]
    choices: list[Any] | None
    """Of a combo; None for any other type."""

    @property
    def is_upload(self) -> bool:
        """A combo over the files of the input folder: what is uploaded later is not in the list."""
        return any(self.options.get(flag) for flag in _UPLOAD_FLAGS)

    @property
    def is_model_file(self) -> bool:
        """A combo over model files: what another machine holds is not in the list."""
        if self.choices is None:
            return False
        return not self.choices or any(str(c).lower().endswith(_MODEL_FILES) for c in self.choices)


def input_specs(node_class: Mapping[str, Any]) -> Iterator[InputSpec]:
    """All declared inputs that a graph can set; hidden ones are ComfyUI's own."""
    declared = cast(Mapping[str, Any], node_class.get("input") or {})
    for section in ("required", "optional"):
        inputs = cast(Mapping[str, Any], declared.get(section) or {})
        for name, spec in inputs.items():
            yield input_spec(name, spec, required=section == "required")


def input_spec(name: str, spec: Any, *, required: bool) -> InputSpec:
    """One input from either notation."""
    parts = cast(list[Any], spec) if isinstance(spec, (list, tuple)) else [spec]
    kind: Any = parts[0] if parts else "*"
    options = (
        cast(dict[str, Any], parts[1]) if len(parts) > 1 and isinstance(parts[1], dict) else {}
    )
    if isinstance(kind, list):
        return InputSpec(name, "COMBO", required, options, cast(list[Any], kind))
    if kind == "COMBO":
        choices = options.get("options")
        return InputSpec(
            name, "COMBO", required, options, cast(list[Any], choices) if choices else []
        )
    return InputSpec(name, str(kind), required, options, None)


def output_types(node_class: Mapping[str, Any]) -> list[str]:
    """The type of each output slot."""
    return [
        "COMBO" if isinstance(kind, list) else str(kind)
        for kind in cast(list[Any], node_class.get("output") or [])
    ]


def is_output_node(node_class: Mapping[str, Any]) -> bool:
    """Whether ComfyUI runs a graph for this node's sake."""
    return bool(node_class.get("output_node"))


def types_match(offered: str, wanted: str) -> bool:
    """ComfyUI's rule: `*` matches all, a comma makes a union, a combo takes strings.

    An output that has the type of an input is known to match only where the graph runs.
    """
    if {"*", "COMFY_MATCHTYPE_V3"} & {offered, wanted} or offered == wanted:
        return True
    if wanted == "COMBO" or offered == "COMBO":
        return {offered, wanted} <= {"COMBO", "STRING"}
    offers, wants = set(offered.split(",")), set(wanted.split(","))
    return bool({part.strip() for part in offers} & {part.strip() for part in wants})
