"""An installed ComfyUI for tests of what `./dev` makes of it."""

from pathlib import Path

import pytest

from infra.comfyui.installed import Installation
from tests.infra.comfy import installed_in


@pytest.fixture
def installed(state: Path) -> Installation:
    """In the state folder."""
    return installed_in(state)
