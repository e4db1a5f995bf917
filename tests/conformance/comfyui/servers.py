"""The two servers that must behave alike: the embedded engine, and a real ComfyUI."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from tests.comfy_images.engine.client import EngineClient
from tests.comfy_images.engine.process import free_port

ROOT: Final = Path(__file__).parents[3]
PACKS: Final = {
    "comfyburst": ROOT / "comfy_images" / "nodes",
    "probe_nodes": Path(__file__).parent / "probe_nodes",
}
INSTALLED: Final = Path(os.environ.get("COMFYBURST_TEST_COMFYUI", "/none"))
IMITATED: Final = (0, 8, 0)
"""The ComfyUI whose captures the engine is held against."""
_START_DEADLINE_S: Final = 90


@dataclass(frozen=True)
class Server:
    """One that runs, with its base folder: `input`, `output` and `temp` are beneath."""

    base: Path
    client: EngineClient
    is_comfyui: bool
    version: tuple[int, ...]
    """Of the ComfyUI that it is or imitates. Tests that ask for it say since when ComfyUI is otherwise."""


@asynccontextmanager
async def running_engine(base: Path) -> AsyncGenerator[Server]:
    """The engine with our pack and the probe nodes."""
    command = [
        *(sys.executable, "-m", "comfy_images.engine"),
        *("--node-module", "tests.conformance.comfyui.probe_nodes"),
    ]
    async with _running(command, base) as client:
        yield Server(base, client, is_comfyui=False, version=IMITATED)


@asynccontextmanager
async def running_comfyui(base: Path) -> AsyncGenerator[Server]:
    """The installed ComfyUI with our pack and the probe nodes, and no other custom nodes.

    It keeps results as 0.8.0 does by default: since 0.23, how much is kept depends on the free memory.
    """
    for name, folder in PACKS.items():
        (base / "custom_nodes").mkdir(exist_ok=True)
        (base / "custom_nodes" / name).symlink_to(folder)
    command = [
        *(str(INSTALLED / "venv/bin/python"), str(INSTALLED / "comfyui/main.py"), "--cpu"),
        *("--disable-all-custom-nodes", "--whitelist-custom-nodes", *PACKS, "--disable-api-nodes"),
        *("--cache-classic", "--database-url", "sqlite:///:memory:"),
    ]
    async with _running(command, base) as client:
        system = (await client.get("/system_stats")).body["system"]
        version = tuple(int(part) for part in system["comfyui_version"].split("."))
        yield Server(base, client, is_comfyui=True, version=version)


@asynccontextmanager
async def _running(command: list[str], base: Path) -> AsyncGenerator[EngineClient]:
    port = free_port()
    log = base / "server.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            *("--listen", "127.0.0.1", "--port", str(port), "--base-directory", str(base)),
            cwd=ROOT,
            env={**os.environ, "COMFYBURST_PROBES": "1"},
            stdout=output,
            stderr=output,
        )
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        try:
            await asyncio.wait_for(_answering(session, process, log), _START_DEADLINE_S)
            yield EngineClient(session)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _answering(
    session: aiohttp.ClientSession, process: asyncio.subprocess.Process, log: Path
) -> None:
    while True:
        assert process.returncode is None, _end_of(log)
        try:
            async with session.get("/system_stats"):
                return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.05)


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-3000:]
