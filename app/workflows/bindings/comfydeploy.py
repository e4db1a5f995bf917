"""Reads ComfyDeploy's nodes: `ComfyUIDeployExternal*` for inputs, `ComfyDeployOutput*` for outputs. Pure.

Their fields as published in BennyKok/comfyui-deploy, `comfy-nodes/`: `input_id`, `display_name`, `description`,
`default_value` (some call it otherwise), `min_value` and `max_value` of sliders and seeds, `options` of enums.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, cast

import orjson

from app.workflows.bindings.annotation import InputNote, Loader, OutputNote, number_of, text_of
from app.workflows.bindings.models import FileKind, Scalar
from app.workflows.graph import is_link

_INPUT: Final = "ComfyUIDeployExternal"
_FILES: Final[Mapping[str, tuple[FileKind, Loader | None, str]]] = {
    "Image": ("image", "image", "default_value"),
    "ImageAlpha": ("image", "alpha", "default_value"),
    "ImageBatch": ("image", "image", "default_value"),
    "Audio": ("audio", "audio", "default_value"),
    "Video": ("video", "video", "default_video"),
    "Vid": ("video", None, "default_value"),
    "File": ("file", None, "default_value"),
}
"""By the end of the class: kind, what loads it, and where its default stands."""
_VIDEO_NEUTRAL: Final[Mapping[str, Any]] = {
    "force_rate": 0,
    "force_size": "Disabled",
    "frame_load_cap": 0,
    "skip_first_frames": 0,
    "select_every_nth": 1,
}
_SIMPLE: Final[Mapping[str, Literal["integer", "number", "boolean"]]] = {
    "Number": "number",
    "NumberSlider": "number",
    "NumberInt": "integer",
    "NumberSliderInt": "integer",
    "Boolean": "boolean",
}
_DEFAULTS: Final[Mapping[str, str]] = {
    "Lora": "default_lora_name",
    "FaceModel": "default_face_model_name",
}


def read_input(node: Mapping[str, Any]) -> InputNote | None:
    """The input a node declares, or None for any other node and what cannot be replaced."""
    kind = node["class_type"].removeprefix(_INPUT)
    if kind == "ComfyDeployWebscoketImageInput":
        return _file("Image", node["inputs"])
    if kind == node["class_type"] or kind == "EXR":
        return None
    if kind in _FILES:
        return _file(kind, node["inputs"])
    return _plain(kind, node["inputs"])


def read_output(node: Mapping[str, Any]) -> OutputNote | None:
    """The output a node declares, or None for any other node and what cannot be replaced."""
    inputs: Mapping[str, Any] = node["inputs"]
    name = text_of(inputs, "output_id")
    match node["class_type"]:
        case "ComfyDeployOutputImage" | "ComfyDeployWebscoketImageOutput":
            prefix = inputs.get("filename_prefix", "ComfyUI")
            kept: dict[str, Any] = {"images": inputs.get("images"), "filename_prefix": prefix}
            return OutputNote(name or "images", "SaveImage", kept)
        case "ComfyDeployOutputText":
            return OutputNote(name or "text", "PreviewAny", {"source": inputs.get("text")})
        case _:
            return None


def _file(kind: str, inputs: Mapping[str, Any]) -> InputNote | None:
    file_kind, loader, default = _FILES[kind]
    if loader == "video" and any(inputs.get(k, v) != v for k, v in _VIDEO_NEUTRAL.items()):
        return None  # trims and resizes, which no node of ComfyUI's own does in one step
    given = inputs.get(default) or text_of(inputs, "audio_file") or None
    return _note(inputs, "file", given, kind=kind, file_kind=file_kind, loader=loader)


def _plain(kind: str, inputs: Mapping[str, Any]) -> InputNote | None:
    default = inputs.get(_DEFAULTS.get(kind, "default_value"))
    low, high = number_of(inputs, "min_value"), number_of(inputs, "max_value")
    match kind:
        case "Text":
            return _note(inputs, "text", "" if default is None else default, multiline=True)
        case "Number" | "NumberSlider" | "NumberInt" | "NumberSliderInt" | "Boolean":
            return _note(inputs, _SIMPLE[kind], default, minimum=low, maximum=high)
        case "Seed":
            return _seed(inputs, default, low, high)
        case "Enum":
            return _note(
                inputs, "choice", default, choices=_options(inputs.get("options"), default)
            )
        case _:
            return None if default is None else _note(inputs, "any", default)


def _seed(
    inputs: Mapping[str, Any], default: Any, low: int | float | None, high: int | float | None
) -> InputNote:
    """A default outside of the range, -1 as a rule, asks for another seed in every run."""
    least, most = int(low if low is not None else 1), int(high if high is not None else 2**32 - 1)
    fixed = isinstance(default, int) and least <= default <= most
    kept = default if fixed or is_link(default) else None
    drawn = kept is None
    return _note(
        inputs, "seed", kept, minimum=least, maximum=max(least, most), random_when_omitted=drawn
    )


def _options(value: Any, default: Any) -> tuple[Scalar, ...]:
    """A JSON array of texts, or one a line."""
    text = value if isinstance(value, str) else ""
    try:
        read: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        read = [line.strip() for line in text.splitlines()]
    options = cast(list[Any], read) if isinstance(read, list) else []
    listed = [str(o) for o in options if isinstance(o, (str, int, float))]
    first = [default] if isinstance(default, str) and default and default not in listed else []
    return tuple(dict.fromkeys([*first, *(option for option in listed if option)]))


def _note(
    inputs: Mapping[str, Any], type_: Any, default: Any, *, kind: str = "", **more: Any
) -> InputNote:
    help_ = text_of(inputs, "description")
    if kind == "ImageBatch":
        help_ = f"{help_} One picture: here an input takes one file.".strip()
    return InputNote(
        name=text_of(inputs, "input_id") or "input",
        kind=type_,
        default=default,
        label=text_of(inputs, "display_name"),
        help=help_,
        **more,
    )
