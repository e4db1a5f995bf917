"""Reading what ComfyUI says: JSON with NaN in it, bodies that are not JSON, shapes that vary."""

import json
from typing import Any, cast

from gpu_functions.contract import Json


def parse(text: str | bytes) -> Any:
    """Parse JSON, NaN and Infinity included; None when it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def as_dict(value: object) -> Json:
    """The dict, or an empty one for anything else."""
    return cast("Json", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The list, or an empty one for anything else."""
    return cast("list[Any]", value) if isinstance(value, list) else []
