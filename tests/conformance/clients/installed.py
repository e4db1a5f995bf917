"""Where the official clients are; a test without them says why it is skipped.

COMFYBURST_TEST_CLIENTS names the folder that `python -m infra.clients.install FOLDER` makes.
"""

import os
from pathlib import Path
from typing import Final

import pytest

from infra.clients.install import Clients

CLIENTS: Final = Clients(Path(os.environ.get("COMFYBURST_TEST_CLIENTS", "/none")))
NEEDS_CLIENTS: Final = [
    pytest.mark.clients,
    pytest.mark.skipif(
        not CLIENTS.comfy.exists(), reason="COMFYBURST_TEST_CLIENTS names no installed clients"
    ),
]
