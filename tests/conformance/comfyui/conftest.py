"""Every test of this folder runs on the engine, and on a real ComfyUI where one is installed.

`COMFYBURST_TEST_COMFYUI=FOLDER ./dev test -m comfyui tests/conformance/comfyui`, the folder being one
that `python -m infra.comfyui.install` made, or one with a checkout in `comfyui` and its interpreter in
`venv`. The expectations are captures of ComfyUI 0.8.0. Where older or newer ones differ, the test says
so: run by hand were 0.8.0 and 0.33.0, in CI 0.3.75 is. In which version between them a difference began
is what ComfyUI's history says.
"""

import shutil
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from tests.comfy_images.engine.captures import DATA
from tests.comfy_images.engine.client import EngineClient
from tests.conformance.comfyui.servers import INSTALLED, Server, running_comfyui, running_engine

SERVERS = {"engine": running_engine, "comfyui": running_comfyui}


@pytest_asyncio.fixture(
    scope="session",
    loop_scope="session",
    params=["engine", pytest.param("comfyui", marks=pytest.mark.comfyui)],
)
async def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Server]:
    if request.param == "comfyui" and not INSTALLED.is_dir():
        pytest.skip("COMFYBURST_TEST_COMFYUI names no installed ComfyUI")
    base = tmp_path_factory.mktemp(request.param)
    (base / "input").mkdir()
    shutil.copy(DATA / "photo.png", base / "input" / "photo.png")
    async with SERVERS[request.param](base) as running:
        yield running


@pytest.fixture
def client(server: Server) -> EngineClient:
    return server.client


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def idle(server: Server) -> None:
    """Every test begins with nothing to run."""
    await server.client.post("/queue", {"clear": True})
    await server.client.post("/interrupt")
    await server.client.idle()
