"""An engine process for each file of tests, with a photo in its input folder."""

import shutil
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from tests.comfy_images.engine.captures import DATA
from tests.comfy_images.engine.client import EngineClient
from tests.comfy_images.engine.process import EngineProcess, running_engine


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[EngineProcess]:
    base = tmp_path_factory.mktemp("engine")
    (base / "input").mkdir()
    shutil.copy(DATA / "photo.png", base / "input" / "photo.png")
    async with running_engine(base) as process:
        yield process


@pytest.fixture
def client(engine: EngineProcess) -> EngineClient:
    return engine.client
