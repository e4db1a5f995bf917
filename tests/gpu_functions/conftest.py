"""Captured words of a real ComfyUI 0.8.0, and a front door at the other end of a real wire."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.front_door import FrontDoorDouble

DATA = Path(__file__).with_name("data")


@pytest.fixture(scope="session")
def histories() -> dict[str, Any]:
    """History entries by workflow or fate."""
    return json.loads((DATA / "histories.json").read_text())


@pytest.fixture(scope="session")
def prompt_replies() -> dict[str, Any]:
    """Answers to POST /prompt by what was wrong with it."""
    return json.loads((DATA / "prompt-replies.json").read_text())


@pytest.fixture
async def front_door() -> AsyncGenerator[FrontDoorDouble, None]:
    """A front door that knows no job yet."""
    async with FrontDoorDouble().serving() as double:
        yield double
