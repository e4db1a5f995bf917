"""A real engine process on a free loopback port, as the worker starts it."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.comfy_images.engine.client import EngineClient

_START_DEADLINE_S = 20


@dataclass(frozen=True)
class EngineProcess:
    """A running engine: its folder, its process and a client."""

    base: Path
    process: asyncio.subprocess.Process
    client: EngineClient


@asynccontextmanager
async def running_engine(base: Path, *flags: str) -> AsyncGenerator[EngineProcess]:
    """Start an engine with the probe nodes on `base`; kill it in the end."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "comfy_images.engine", "--listen", "127.0.0.1"),
        *("--port", str(port), "--base-directory", str(base), *flags),
        env={**os.environ, "COMFYBURST_PROBES": "1"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        try:
            await asyncio.wait_for(_answering(session), _START_DEADLINE_S)
            yield EngineProcess(base, process, EngineClient(session))
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _answering(session: aiohttp.ClientSession) -> None:
    while True:
        try:
            async with session.get("/system_stats"):
                return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
