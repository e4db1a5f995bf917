"""The pack as ComfyUI loads it: from its folder, under a name that is not `comfy_images`."""

import importlib.util
import itertools
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType

import pytest

PACK = Path(__file__).parents[3] / "comfy_images" / "nodes"
_numbers = itertools.count(1)

LoadPack = Callable[[], ModuleType]


@pytest.fixture
def load_pack() -> Generator[LoadPack]:
    """Load the pack anew; what it put into `sys.modules` is gone after the test."""
    loaded: list[str] = []

    def load() -> ModuleType:
        name = f"/elsewhere/custom_nodes/comfyburst_{next(_numbers)}"
        spec = importlib.util.spec_from_file_location(name, PACK / "__init__.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        loaded.append(name)
        spec.loader.exec_module(module)
        return module

    yield load
    for module in list(sys.modules):
        if any(module == name or module.startswith(f"{name}.") for name in loaded):
            del sys.modules[module]
