"""A ComfyUI under COMFY_USER with the hostile pack, and jobs of two workspaces on it."""

import json
import os
import random
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gpu_functions.contract import Graph, Succeeded
from gpu_functions.isolation.processes import processes_of
from gpu_functions.settings import WorkerSettings
from tests.doubles.front_door import FrontDoorDouble, JobRecord
from tests.gpu_functions.engine import Bench, bench

ALICE, BOB = UUID(int=0xA), UUID(int=0xB)
SPY = Path(__file__).with_name("data") / "spy" / "spy.py"
MODULE = "tests.gpu_functions.data.spy.spy"

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@contextmanager
def spare_uid() -> Generator[int]:
    """A uid that nobody has; no entry in /etc/passwd is needed."""
    # Others test on this machine too.
    uid = next(
        uid
        for uid in random.sample(range(60_100, 64_900), 100)
        if not processes_of(uid) and not Path(f"/run/comfyburst-user-{uid}").exists()
    )
    try:
        yield uid
    finally:
        assert processes_of(uid) == []
        Path(f"/run/comfyburst-user-{uid}").unlink(missing_ok=True)


@dataclass(frozen=True)
class Stage:
    """Where alice and bob take turns."""

    bench: Bench
    front_door: FrontDoorDouble
    uid: int

    async def run(self, who: UUID, graph: Graph, **inputs: bytes) -> JobRecord:
        """A job of that workspace, to its end."""
        job = self.front_door.submit(graph, inputs=inputs, workspace_id=who)
        await self.bench.run(self.front_door, job)
        return job

    async def told(self, who: UUID, code: str) -> Any:
        """What code left in `result` as a node of that workspace."""
        return await self._answer(who, {"1": {"class_type": "Spy", "inputs": {"code": code}}})

    async def told_once(self, who: UUID, text: str) -> Any:
        """What a node says that need not run again."""
        once = {"class_type": "SpyOnce", "inputs": {"text": text}}
        show = {"class_type": "SpyShow", "inputs": {"text": ["1", 0]}}
        return await self._answer(who, {"1": once, "2": show})

    async def _answer(self, who: UUID, graph: Graph) -> Any:
        job = await self.run(who, graph)
        assert isinstance(job.terminal, Succeeded), job.terminal
        return json.loads(self.front_door.output_bytes(job)[-1])

    @property
    def owned(self) -> list[str]:
        """What the user owns where everybody may write, seen from outside."""
        found: list[str] = []
        for place in ("/tmp", "/var/tmp", "/dev/shm"):  # noqa: S108 - only looked at
            with suppress(OSError), os.scandir(place) as entries:
                found += [
                    e.path for e in entries if e.stat(follow_symlinks=False).st_uid == self.uid
                ]
        return found


@asynccontextmanager
async def stage(
    state: Path, front_door: FrontDoorDouble, **settings: Any
) -> AsyncGenerator[Stage, None]:
    """The engine, or the ComfyUI of `settings`, with the pack."""
    packs = state / "custom_nodes"
    packs.mkdir(parents=True)
    # Also what keeps it in sight where the checkout lies in a closed folder.
    (packs / "spy.py").symlink_to(SPY)
    arguments = settings.pop("comfyui_args", ("--node-module", MODULE))
    with spare_uid() as uid:
        told = WorkerSettings(
            state=state,
            probes=True,
            comfy_user=str(uid),
            comfyui_args=arguments,
            comfyui_start_timeout_s=120,
            **settings,
        )
        async with bench(state, told) as started:
            yield Stage(started, front_door, uid)
