import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import psutil
import pytest

from gpu_functions.comfyui.launch import Launch
from gpu_functions.comfyui.logfile import LogFile
from gpu_functions.comfyui.process import ComfyUnavailableError, OwnedComfyUI
from gpu_functions.contract import FailureCode
from gpu_functions.settings import WorkerSettings
from tests.doubles.front_door import eventually
from tests.gpu_functions.engine import Bench, bench

OWNER = """
import asyncio, os, sys
from pathlib import Path
from gpu_functions.comfyui.launch import Launch
from gpu_functions.comfyui.process import OwnedComfyUI
from gpu_functions.settings import WorkerSettings

async def main():
    settings = WorkerSettings(state=Path(sys.argv[1]))
    comfy = OwnedComfyUI(Launch(settings), os.environ, 30, False)
    await comfy.ensure(None)
    sys.stdout.write(f"{comfy.child.pid}\\n")
    sys.stdout.flush()
    await asyncio.sleep(60)

asyncio.run(main())
"""

DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    with open("daemon.new", "w") as file:
        file.write(str(os.getpid()))
    os.rename("daemon.new", "daemon")
    time.sleep(600)
os.wait()
time.sleep(600)
"""


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncGenerator[Bench, None]:
    async with bench(tmp_path / "state") as started:
        yield started


def failing(tmp_path: Path, program: str, timeout_s: float = 10) -> OwnedComfyUI:
    """A checkout whose main.py does this."""
    (tmp_path / "main.py").write_text(program)
    settings = WorkerSettings(comfyui_dir=tmp_path, state=tmp_path / "state")
    return OwnedComfyUI(Launch(settings), os.environ, timeout_s, shared=False)


async def boot_failure(comfy: OwnedComfyUI) -> str:
    with pytest.raises(ComfyUnavailableError) as raised:
        await comfy.ensure(None)
    assert raised.value.code is FailureCode.ENVIRONMENT_BOOT
    return str(raised.value)


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


async def test_a_comfyui_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    comfy = failing(tmp_path, "raise SystemExit('no torch here')")
    message = await boot_failure(comfy)
    assert "exit code 1" in message
    assert "no torch here" in message


async def test_a_comfyui_that_never_answers_is_ended(tmp_path: Path) -> None:
    comfy = failing(tmp_path, "import time; print('loading', flush=True); time.sleep(60)", 0.7)
    assert "loading" in await boot_failure(comfy)
    assert comfy.child is None


async def test_what_daemonised_ends_with_the_comfyui_it_came_from(tmp_path: Path) -> None:
    await boot_failure(failing(tmp_path, DAEMON, timeout_s=3))
    daemon = int((tmp_path / "state" / "daemon").read_text())
    await eventually(lambda: not psutil.pid_exists(daemon) or _is_zombie(daemon))


def _is_zombie(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_a_running_one_is_used_again_and_a_dead_one_replaced(engine: Bench) -> None:
    first = await engine.comfy.ensure(None)
    assert await engine.comfy.ensure(None) is first
    os.kill(engine.pid, signal.SIGKILL)
    async with asyncio.timeout(5):
        await first.exited.wait()
    second = await engine.comfy.ensure(None)
    assert second.identity != first.identity


async def test_the_child_sees_a_scrubbed_environment_and_only_loopback(engine: Bench) -> None:
    child = psutil.Process(engine.pid)
    assert not [name for name in child.environ() if "TOKEN" in name or "SECRET" in name]
    listening = [c.laddr.ip for c in child.net_connections() if c.status == psutil.CONN_LISTEN]
    assert listening == ["127.0.0.1"]


async def test_stopping_leaves_nothing_behind(engine: Bench) -> None:
    pid = engine.pid
    await engine.comfy.stop()
    assert not psutil.pid_exists(pid)


async def test_a_child_dies_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        OWNER,
        str(tmp_path / "state"),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert owner.stdout is not None
    pid = int(await owner.stdout.readline())
    assert psutil.pid_exists(pid)
    owner.kill()
    await owner.wait()
    await eventually(lambda: not psutil.pid_exists(pid))


async def test_the_log_of_comfyui_is_bounded(tmp_path: Path) -> None:
    stream = asyncio.StreamReader()
    log = LogFile(tmp_path / "comfyui.log")
    copying = asyncio.create_task(log.copy(stream))
    for _ in range(30):
        stream.feed_data(b"x" * 1_000_000 + b"\n")
        await asyncio.sleep(0)
    stream.feed_data(b"the end")
    stream.feed_eof()
    await copying
    assert log.tail.endswith("the end")
    assert size_of(tmp_path) < 21_000_000
