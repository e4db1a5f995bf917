"""One worker on one event loop in one background thread, rung and stopped from outside."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field

import httpx

from gpu_functions.comfyui.launch import Launch
from gpu_functions.comfyui.process import AttachedComfyUI, ComfyHost, OwnedComfyUI
from gpu_functions.front_door import FrontDoor
from gpu_functions.isolation.user import IsolationError
from gpu_functions.settings import WorkerSettings
from gpu_functions.telemetry import open_tracing
from gpu_functions.transfer import Transfer, http_client
from gpu_functions.worker import Worker

log = logging.getLogger(__name__)


def comfy_host(settings: WorkerSettings, environ: Mapping[str, str]) -> ComfyHost:
    """The ComfyUI these settings name: attached, a checkout, or the engine."""
    if settings.comfyui_url:
        return AttachedComfyUI(
            settings.comfyui_url.rstrip("/"), settings.comfyui_shared, settings.interpreter
        )
    return OwnedComfyUI(
        Launch(settings),
        environ,
        settings.comfyui_start_timeout_s,
        settings.comfyui_shared,
    )


@dataclass(slots=True)
class WorkerThread:
    """A worker on its own event loop in its own thread."""

    settings: WorkerSettings
    token: str
    environ: Mapping[str, str]
    _thread: threading.Thread | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _worker: Worker | None = None
    _asked: bool = False
    _died: bool = False
    _started: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Start working; returns at once."""
        self._thread = threading.Thread(target=self._main, name="worker", daemon=True)
        self._thread.start()
        self._started.wait(10)

    def ring(self) -> None:
        """There may be work."""
        if self._loop is not None and self._worker is not None:
            self._loop.call_soon_threadsafe(self._worker.bell.set)

    def stop(self) -> None:
        """Hand the job back and end; the thread goes on until that is done."""
        self._asked = True
        if self._loop is not None and self._worker is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._worker.shutdown.set)

    def join(self, within_s: float | None = None) -> bool:
        """Wait for the end; True once there."""
        if self._thread is not None:
            self._thread.join(within_s)
        return self._thread is None or not self._thread.is_alive()

    @property
    def stopping(self) -> bool:
        """True once it was asked to end, or has ended."""
        return self._asked or self._died

    @property
    def died(self) -> bool:
        """True when it ended without having been asked to."""
        return self._died

    def _main(self) -> None:
        try:
            asyncio.run(self._work())
        except IsolationError as error:
            log.error("%s", error)  # noqa: TRY400 - it says what to do, and no traceback helps
        except Exception:
            log.exception("the worker failed")
        if not self._asked:
            # A process that looks alive and claims nothing helps nobody: end it, be restarted.
            self._died = True
            self._started.set()
            # A real signal: it ends a wait for a lock, which `_thread.interrupt_main` does not.
            os.kill(os.getpid(), signal.SIGTERM)

    async def _work(self) -> None:
        timeout = httpx.Timeout(10, connect=2)
        with closing(open_tracing(self.settings.otlp_endpoint)) as tracing:
            async with (
                httpx.AsyncClient(base_url=self.settings.internal_url, timeout=timeout) as http,
                http_client() as storage,
            ):
                self._loop = asyncio.get_running_loop()
                self._worker = Worker(
                    self.settings,
                    FrontDoor(http, self.token, tracing),
                    comfy_host(self.settings, self.environ),
                    Transfer(storage),
                )
                self._started.set()
                await self._worker.run()
