"""What a started ComfyUI can run, as the front door registers it (DESIGN §3, step 0)."""

import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any, cast

from gpu_functions.comfyui.lenient import as_dict, as_list
from gpu_functions.comfyui.outputs import OUTPUT_KINDS
from gpu_functions.comfyui.process import Running
from gpu_functions.contract import EnvironmentRegistration

_ENGINE_MARK = "engine"


@dataclass(frozen=True, slots=True)
class Environment:
    """A registration and its digest: equal digests run equal graphs."""

    digest: str
    registration: EnvironmentRegistration


async def describe(running: Running) -> Environment:
    """Ask ComfyUI for its nodes. Raises ComfyUnreachableError."""
    known = running.object_info
    object_info = storable(await running.client.object_info() if known is None else known)
    system = as_dict(running.system_stats.get("system"))
    registration = EnvironmentRegistration(
        comfyui_version=str(system.get("comfyui_version") or "unknown"),
        is_engine=_ENGINE_MARK in str(system.get("comfyui_version") or ""),
        python_version=str(system.get("python_version") or "unknown"),
        devices=[
            as_dict(storable(device)) for device in as_list(running.system_stats.get("devices"))
        ],
        object_info=object_info,
        output_kinds=list(OUTPUT_KINDS),
    )
    # Devices change with every byte of free memory, so they are no part of it.
    canonical = registration.model_dump(mode="json", exclude={"devices"})
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"))
    return Environment(hashlib.sha256(text.encode()).hexdigest(), registration)


def storable(value: Any) -> Any:
    """The same without what JSON or jsonb refuses: NaN and Infinity, NUL, lone surrogates."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case str():
            return value.replace("\0", "").encode(errors="replace").decode()
        case dict():
            items = cast("dict[Any, Any]", value).items()
            return {storable(str(key)): storable(item) for key, item in items}
        case list():
            return [storable(item) for item in cast("list[Any]", value)]
        case _:
            return value
