"""Files that begin with JSON of their own: safetensors (`.latent` too) and GLB."""

from collections.abc import Mapping
from typing import Any, cast

from app.errors import AppError
from app.json_input import parse_json_object
from app.workflows.inspect.tags import MAX_TEXT_BYTES, Walk, unsigned

MAX_HEADER_VALUES = 400_000


def walk_safetensors(data: memoryview) -> Walk:
    """The texts of a safetensors file's `__metadata__`."""
    walk = Walk("safetensors")
    size = unsigned(data, 0, "<Q") or 0
    header = _parsed(walk, data[8 : 8 + min(size, MAX_TEXT_BYTES + 1)])
    _keep(walk, header.get("__metadata__"), "safetensors metadata")
    return walk


def looks_like_safetensors(data: memoryview) -> bool:
    """Whether an object begins behind a length that the file has."""
    size = unsigned(data, 0, "<Q") or 0
    return 1 < size <= len(data) - 8 and bytes(data[8:9]) == b"{"


def walk_glb(data: memoryview) -> Walk:
    """The texts that ComfyUI's SaveGLB leaves in `asset.extras`."""
    walk = Walk("GLB")
    size = unsigned(data, 12, "<I") or 0
    asset = _parsed(walk, data[20 : 20 + min(size, MAX_TEXT_BYTES + 1)]).get("asset")
    extras = cast(Mapping[str, Any], asset).get("extras") if isinstance(asset, dict) else None
    _keep(walk, extras, "glTF extras")
    return walk


def _parsed(walk: Walk, text: memoryview) -> Mapping[str, Any]:
    if len(text) > MAX_TEXT_BYTES:
        walk.remark(f"its header is larger than {MAX_TEXT_BYTES} bytes")
        return {}
    try:
        return parse_json_object(bytes(text).rstrip(b" \0"), MAX_HEADER_VALUES)
    except AppError:
        walk.remark("its header is damaged")
        return {}


def _keep(walk: Walk, texts: Any, where: str) -> None:
    if isinstance(texts, dict):
        for key, value in cast(dict[str, Any], texts).items():
            if isinstance(value, str):
                walk.add(key, value.encode("utf-8", "replace"), where)
