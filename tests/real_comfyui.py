"""The real ComfyUI of these tests: where it is installed, and the whole product that runs on it.

COMFYBURST_TEST_COMFYUI names the folder that `python -m infra.comfyui.install FOLDER` makes.
"""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import pytest

from tests.running import Running, running

INSTALLED: Final = Path(os.environ.get("COMFYBURST_TEST_COMFYUI", "/none"))
PYTHON: Final = INSTALLED / "venv" / "bin" / "python"
NEEDS_COMFYUI: Final = [
    pytest.mark.comfyui,
    pytest.mark.skipif(
        not INSTALLED.is_dir(), reason="COMFYBURST_TEST_COMFYUI names no installed ComfyUI"
    ),
]


def arguments(*packs: str) -> str:
    """ComfyUI's, for a machine without a graphics card and with these custom nodes alone."""
    allowed = " ".join(("comfyburst", *packs))
    return (
        f"--cpu --disable-api-nodes --disable-all-custom-nodes --whitelist-custom-nodes {allowed}"
    )


def variables(*packs: str) -> dict[str, str]:
    """Tells the product to start it."""
    return {
        "COMFYUI_DIR": str(INSTALLED / "comfyui"),
        "COMFYUI_PYTHON": str(PYTHON),
        "COMFYUI_ARGS": arguments(*packs),
    }


@contextmanager
def running_comfyui(
    folder: Path, packs: Mapping[str, Path], more: Mapping[str, str] | None = None
) -> Generator[Running]:
    """The product on it, with custom nodes of a test: linked where a worker keeps its own."""
    linked = folder / "state" / "worker" / "custom_nodes"
    linked.mkdir(parents=True)
    (folder / "state").chmod(0o700)
    for name, pack in packs.items():
        (linked / name).symlink_to(pack)
    with running(folder / "state", {**variables(*packs), **(more or {})}) as stack:
        yield stack


def comfyui_of(stack: Running) -> psutil.Process:
    """Its process, below the worker's."""
    for child in psutil.Process(stack.pid("worker")).children(recursive=True):
        words = child.cmdline()
        if "--base-directory" in words and "--port" in words:
            return child
    raise AssertionError("the worker has no ComfyUI")


def ask_comfyui(stack: Running, path: str) -> Any:
    """What ComfyUI itself answers: a check of what the product left in it."""
    words = comfyui_of(stack).cmdline()
    url = f"http://127.0.0.1:{words[words.index('--port') + 1]}"
    return httpx.get(f"{url}{path}", timeout=30, trust_env=False).raise_for_status().json()
