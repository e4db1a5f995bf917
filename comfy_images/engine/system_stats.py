"""GET /system_stats: the readiness probe, and the place where the engine says what it is."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from comfy_images.engine import ENGINE_VERSION, HOW_TO_CONNECT_COMFYUI

if TYPE_CHECKING:
    from comfy_images.engine.node_type import JsonObject
    from comfy_images.engine.options import Options


def system_stats(options: Options) -> JsonObject:
    """ComfyUI's shape. Sizes in bytes; 0 where the operating system does not tell."""
    total, free = _pages("SC_PHYS_PAGES"), _available()
    return {
        "system": {
            "os": sys.platform,
            "ram_total": total,
            "ram_free": free,
            "comfyui_version": ENGINE_VERSION,
            "is_comfyui": False,
            "notice": HOW_TO_CONNECT_COMFYUI,
            "python_version": sys.version,
            "pytorch_version": None,
            "embedded_python": False,
            "argv": ["comfy_images.engine", *options.argv],
        },
        "devices": [
            {
                "name": "cpu",
                "type": "cpu",
                "index": None,
                "vram_total": total,
                "vram_free": free,
                "torch_vram_total": total,
                "torch_vram_free": free,
            }
        ],
    }


def _available() -> int:
    """As ComfyUI counts it: what the kernel keeps of files is free for whoever needs it."""
    with suppress(OSError, ValueError, IndexError):  # Linux alone says so
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return _pages("SC_AVPHYS_PAGES")


def _pages(name: str) -> int:
    with suppress(ValueError, OSError):  # macOS has no SC_AVPHYS_PAGES
        return os.sysconf(name) * os.sysconf("SC_PAGE_SIZE")
    return 0
