"""The ComfyUI a worker runs jobs on: its own child, or one it was attached to.

A child is started, judged and restarted here. One process belongs to one workspace for life
(facts/security.md §4): another workspace gets a new process and fresh folders.
"""

import asyncio
import contextvars
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Protocol
from uuid import UUID

import httpx

from gpu_functions.comfyui.client import ComfyClient, ComfyUnreachableError, connect
from gpu_functions.comfyui.housing import Housing
from gpu_functions.comfyui.launch import Launch
from gpu_functions.comfyui.logfile import LogFile
from gpu_functions.comfyui.strays import end_strays
from gpu_functions.contract import FailureCode, Json
from gpu_functions.isolation.user import IsolationError
from gpu_functions.media.process import MediaProcess

log = logging.getLogger(__name__)

_STOP_GRACE_S = 3.0
_PORT_ATTEMPTS = 3


class ComfyUnavailableError(Exception):
    """There is no ComfyUI to run a job on; `code` says what to report."""

    def __init__(self, code: FailureCode, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Running:
    """A ComfyUI that answered. `folders` is None where its files are not ours to open."""

    url: str
    client: ComfyClient
    system_stats: Json
    folders: Path | None
    exited: asyncio.Event
    """Set when the process has ended; never for one we are attached to."""
    identity: str
    """Changes with every start: another process may know other nodes."""
    object_info: Json | None = None
    """As it was before any job ran in the process: a node may change what it says of nodes and files."""
    media: MediaProcess | None = None
    """Lives as long: what opened one workspace's files opens no other's."""
    console: LogFile | None = None
    """What it prints, where that can only be the business of one workspace."""


class ComfyHost(Protocol):
    """Where a ComfyUI comes from."""

    async def ensure(self, workspace_id: UUID | None) -> Running:
        """A ComfyUI fit for this workspace. Raises ComfyUnavailableError."""
        ...

    async def discard(self) -> bool:
        """End the process, whatever it does; False where it is not ours."""
        ...

    async def stop(self) -> None:
        """Leave nothing running that we started."""
        ...


@dataclass(slots=True)
class OwnedComfyUI:
    """A child process in its own group, with a scrubbed environment and a random port."""

    launch: Launch
    environ: Mapping[str, str]
    start_timeout_s: float
    shared: bool
    child: asyncio.subprocess.Process | None = None
    _housing: Housing = field(init=False)
    _running: Running | None = None
    _http: httpx.AsyncClient | None = None
    _media: MediaProcess | None = None
    _workspace_id: UUID | None = None
    _background: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def __post_init__(self) -> None:
        self._housing = Housing(self.launch, self.environ, self.shared)

    async def ensure(self, workspace_id: UUID | None) -> Running:
        """The running child, or a new one: after a death, or for another workspace.

        Raises:
            IsolationError: COMFY_USER cannot be used; known at the first start.
        """
        fresh = not self.shared and _differ(self._workspace_id, workspace_id)
        if fresh:
            log.info("restarting ComfyUI with fresh folders for another workspace")
            await self.discard()
            self._workspace_id = None
        if self._running is None or self._running.exited.is_set():
            await self.discard()
            self._running = await self._start(fresh=fresh)
        self._workspace_id = self._workspace_id or workspace_id
        return self._running

    async def discard(self) -> bool:
        """Kill the whole process group, and what left it."""
        child, self.child, self._running = self.child, None, None
        if child is not None and child.returncode is None:
            end_strays(child.pid)
            _kill_group(child, signal.SIGKILL)
            await child.wait()
        await self._disconnect()
        if self._media is not None:
            await self._media.close()
        return True

    async def stop(self) -> None:
        """Ask the child to end (it removes its temp folder), then kill what is left."""
        if self.child is not None and self.child.returncode is None:
            end_strays(self.child.pid)
            _kill_group(self.child, signal.SIGTERM)
            with suppress(TimeoutError):
                async with asyncio.timeout(_STOP_GRACE_S):
                    await self.child.wait()
        await self.discard()
        try:
            await asyncio.to_thread(self._housing.leave)
        except IsolationError:
            log.exception("something of ComfyUI is left; the next start tries again")

    async def _disconnect(self) -> None:
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _start(self, *, fresh: bool) -> Running:
        try:
            await asyncio.to_thread(self._housing.make_ready, fresh=fresh)
        except IsolationError as error:
            if not self._housing.is_known_good:
                raise
            raise ComfyUnavailableError(FailureCode.ENVIRONMENT_BOOT, str(error)) from error
        for attempt in range(1, _PORT_ATTEMPTS + 1):
            port = free_port()
            logfile = LogFile(self.launch.state / "comfyui.log")
            self.child, exited = await self._spawn(port, logfile)
            try:
                running = await self._until_ready(f"http://127.0.0.1:{port}", exited)
                return running if self.shared else replace(running, console=logfile)
            except TimeoutError:
                await self.discard()
                raise ComfyUnavailableError(
                    FailureCode.ENVIRONMENT_BOOT,
                    f"ComfyUI did not answer within {self.start_timeout_s:g} s.\n{logfile.tail}",
                ) from None
            except ComfyUnreachableError:
                code = self.child.returncode
                await self.discard()
                # Somebody may have taken the port between our look and ComfyUI's bind.
                if attempt == _PORT_ATTEMPTS or "address already in use" not in logfile.tail:
                    raise ComfyUnavailableError(
                        FailureCode.ENVIRONMENT_BOOT,
                        f"ComfyUI ended while starting (exit code {code}).\n{logfile.tail}",
                    ) from None
        raise AssertionError("the last attempt returns or raises")

    async def _spawn(
        self, port: int, logfile: LogFile
    ) -> tuple[asyncio.subprocess.Process, asyncio.Event]:
        # A pipe of our own: asyncio's wait() ends only once its pipes are closed, and a daemon that a
        # node left in another session holds them open for as long as it likes.
        reading, writing = os.pipe()
        lines = os.fdopen(reading, "rb", buffering=0)
        try:
            with os.fdopen(writing, "wb") as ending:
                child = await asyncio.create_subprocess_exec(
                    *self.launch.command(port, self._housing.confinement),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=ending,
                    stderr=asyncio.subprocess.STDOUT,
                    env=self.launch.environment(self.environ, self._housing.user),
                    cwd=self.launch.state,
                    start_new_session=True,
                )
        except BaseException:
            lines.close()
            raise
        exited = asyncio.Event()
        following = _follow(child, lines, logfile, exited)
        # It outlives the run that needed it: its lines are not that job's.
        task = asyncio.create_task(following, context=contextvars.Context())
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return child, exited

    async def _until_ready(self, url: str, exited: asyncio.Event) -> Running:
        self._http = connect(url)
        client = ComfyClient(self._http)
        async with asyncio.timeout(self.start_timeout_s):
            while True:
                if exited.is_set():
                    raise ComfyUnreachableError("the process ended")
                with suppress(ComfyUnreachableError):
                    stats = await client.system_stats()
                    info = await client.object_info()
                    media = self._media = MediaProcess(
                        self.launch.settings.interpreter, self._housing.confinement
                    )
                    return Running(url, client, stats, self.launch.state, exited, url, info, media)
                await asyncio.sleep(0.05)


async def _follow(
    child: asyncio.subprocess.Process, lines: IO[bytes], logfile: LogFile, exited: asyncio.Event
) -> None:
    copying = asyncio.create_task(_copy(lines, logfile))
    code = await child.wait()
    # What it started lives in its group, which keeps the number from being used again.
    _kill_group(child, signal.SIGKILL)
    exited.set()
    log.info("ComfyUI ended with exit code %s", code)
    # A grandchild may hold the pipe open; it has had its chance to be read.
    await asyncio.wait({copying}, timeout=1)
    copying.cancel()


async def _copy(lines: IO[bytes], logfile: LogFile) -> None:
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), lines
    )
    try:
        await logfile.copy(stream)
    finally:
        transport.close()


def _differ(owner: UUID | None, workspace_id: UUID | None) -> bool:
    return owner is not None and workspace_id is not None and owner != workspace_id


def _kill_group(child: asyncio.subprocess.Process, sent: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, sent)


def free_port() -> int:
    """A loopback port nobody listens on; random, so that a web page cannot know it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class AttachedComfyUI:
    """Somebody else's ComfyUI: it is asked, never started, killed or cleaned."""

    url: str
    shared: bool
    interpreter: Path = Path(sys.executable)
    """What opens its outputs: with PyAV it can do for videos what it does for pictures."""
    _absences: int = 0
    _http: httpx.AsyncClient | None = None
    _media: MediaProcess | None = None
    _workspace_id: UUID | None = None

    async def ensure(self, workspace_id: UUID | None) -> Running:
        """Ask whether it answers; it is not ours to give to a second workspace."""
        if not self.shared and _differ(self._workspace_id, workspace_id):
            raise ComfyUnavailableError(
                FailureCode.COMFYUI_UNREACHABLE,
                "The ComfyUI at COMFYUI_URL serves another workspace and cannot be restarted "
                "between workspaces. COMFYUI_SHARED=1 says that it may serve all.",
            )
        self._http = self._http or connect(self.url)
        client = ComfyClient(self._http)
        try:
            stats = await client.system_stats()
        except ComfyUnreachableError as error:
            self._absences += 1
            raise ComfyUnavailableError(
                FailureCode.COMFYUI_UNREACHABLE, f"The ComfyUI at COMFYUI_URL: {error}"
            ) from error
        self._workspace_id = self._workspace_id or workspace_id
        self._media = self._media or MediaProcess(self.interpreter)
        identity = f"{self.url}#{self._absences}"
        exited = asyncio.Event()
        return Running(self.url, client, stats, None, exited, identity, media=self._media)

    async def discard(self) -> bool:
        """Nothing: the process is not ours."""
        return False

    async def stop(self) -> None:
        """Close our connections."""
        if self._media is not None:
            await self._media.close()
        if self._http is not None:
            await self._http.aclose()
            self._http = None
