"""A worker's parts on the real engine process, and the graphs that tests run on it."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from gpu_functions.comfyui.graph import output_classes
from gpu_functions.comfyui.launch import Launch
from gpu_functions.comfyui.process import ComfyHost, OwnedComfyUI
from gpu_functions.comfyui.redact import Redactor
from gpu_functions.comfyui.watch import Watch
from gpu_functions.contract import Graph
from gpu_functions.executor import Executor, Graces, Outcome, run_ticket
from gpu_functions.front_door import FrontDoor
from gpu_functions.settings import WorkerSettings
from gpu_functions.transfer import Transfer, http_client
from gpu_functions.worker import private_paths
from tests.doubles.front_door import WORKER_TOKEN, FrontDoorDouble, JobRecord

CANCEL_GRACE_S = 0.5


@dataclass
class Bench:
    """An executor on an engine; `run` runs a job's ticket."""

    comfy: ComfyHost
    transfer: Transfer
    classes: frozenset[str]
    redact: Redactor
    watch: Watch = field(default_factory=Watch)
    shutdown: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, front_door: FrontDoorDouble, job: JobRecord) -> Outcome:
        """Run one ticket to its end."""
        self.shutdown.clear()
        timeout = httpx.Timeout(5, connect=1)
        async with httpx.AsyncClient(base_url=front_door.url, timeout=timeout) as http:
            executor = Executor(
                FrontDoor(http, WORKER_TOKEN),
                self.comfy,
                self.transfer,
                self.redact,
                self.classes,
                graces=Graces(cancel_s=CANCEL_GRACE_S, shutdown_s=0.3, last_word_s=1),
                watch=self.watch,
            )
            return await run_ticket(job.ticket, executor, self.shutdown)

    @property
    def state(self) -> Path:
        """The folder of the engine."""
        assert isinstance(self.comfy, OwnedComfyUI)
        return self.comfy.launch.state

    @property
    def pid(self) -> int:
        """The process that runs now."""
        assert isinstance(self.comfy, OwnedComfyUI)
        child = self.comfy.child
        assert child is not None
        return child.pid

    def freeze(self) -> None:
        """Stop the process without ending it."""
        os.kill(self.pid, signal.SIGSTOP)


@asynccontextmanager
async def bench(state: Path, settings: WorkerSettings | None = None) -> AsyncGenerator[Bench, None]:
    """Start an engine with probe nodes, or what `settings` say; nothing of it is left afterwards."""
    settings = settings or WorkerSettings(state=state, probes=True, comfyui_start_timeout_s=30)
    launch, redact = Launch(settings), Redactor.hiding(private_paths(settings))
    comfy = OwnedComfyUI(
        launch, os.environ, settings.comfyui_start_timeout_s, settings.comfyui_shared
    )
    watch = Watch()
    async with http_client() as storage:
        try:
            running = await comfy.ensure(None)
            classes = output_classes(await running.client.object_info())
            yield Bench(comfy, Transfer(storage, patience_s=5), classes, redact, watch)
        finally:
            await watch.close()
            await comfy.stop()


def saved(class_type: str, prefix: str = "ComfyUI", **inputs: object) -> Graph:
    """A node that makes an image, saved."""
    return {
        "1": {"class_type": class_type, "inputs": inputs},
        "2": {
            "class_type": "SaveImage",
            "inputs": {"images": ["1", 0], "filename_prefix": prefix},
        },
    }


def image(color: int = 0xFF0000, size: int = 64) -> Graph:
    """A small plain image, saved."""
    return saved("EmptyImage", width=size, height=size, batch_size=1, color=color)


def noise(size: int) -> Graph:
    """A picture that no file makes small, saved."""
    graph = image(0x808080, size)
    add = {"image": ["1", 0], "seed": 1, "strength": 0.5}
    graph["3"] = {"class_type": "ImageAddNoise", "inputs": add}
    graph["2"]["inputs"]["images"] = ["3", 0]
    return graph


def steps(count: int, seconds: float) -> Graph:
    """A node with a progress bar and previews, saved."""
    return saved("BurstProbeSteps", steps=count, seconds=seconds, preview=True)
