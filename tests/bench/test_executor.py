"""What the executor adds to ComfyUI's own time, what its start costs, and that it keeps nothing.

Beside a bare client of the same ComfyUI in the same run: a socket, a POST, the last event, the
history. On a real ComfyUI: COMFYBURST_TEST_COMFYUI=FOLDER ./dev bench tests/bench/test_executor.py.
"""

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from uuid import uuid4

import aiohttp
import httpx
import psutil
import pytest

from gpu_functions.contract import Graph, Succeeded
from gpu_functions.executor import Executor, run_ticket
from gpu_functions.front_door import FrontDoor
from gpu_functions.settings import WorkerSettings
from tests.bench.measure import Pair
from tests.doubles.front_door import WORKER_TOKEN, FrontDoorDouble
from tests.gpu_functions.engine import Bench, bench, image

pytestmark = [pytest.mark.bench, pytest.mark.timeout(900)]

ROUNDS, PER_ROUND = 12, 5
OVERHEAD_GOAL_MS = 15.0
OVERHEAD_PASS = 12.0
"""Times the bare client, on a job that computes nothing: some 3 to 4 here. A sleep or a poll would be 30."""
NODES = 400
NODES_GOAL = 1.10
NODES_PASS = 2.0
"""Some 1.15 on the engine, whose nodes cost nothing; work that grows with the square would be 10."""
IMPORT_GOAL_MS = 300.0
IMPORT_PASS = 3.0
"""Times the import of the libraries alone: some 2 here: the rest is the models of the contract."""
LIBRARIES = "httpx, pydantic, websockets.asyncio.client, tenacity, blake3"
JOBS = int(os.environ.get("COMFYBURST_BENCH_JOBS", "300"))
"""For steady memory; by hand 2000."""
WARM_UP_JOBS = 100
OBJECTS_PASS = 1.0
BYTES_PASS = 16_384
"""A job that is kept whole would be hundreds of objects and 50 kB."""


@dataclass
class Sides:
    """The executor and the bare client before one ComfyUI."""

    bench: Bench
    front_door: FrontDoorDouble
    executor: Executor
    url: str
    session: aiohttp.ClientSession
    client_id: str = field(default_factory=lambda: uuid4().hex)
    socket: aiohttp.ClientWebSocketResponse | None = None
    """Of the bare client, open from its first run on."""

    async def job(self, graph: Graph) -> float:
        """Milliseconds from the claimed ticket to the end of its job."""
        job = self.front_door.submit(graph, queue=False)
        started = time.perf_counter()
        await run_ticket(job.ticket, self.executor, self.bench.shutdown)
        assert isinstance(job.terminal, Succeeded), job.terminal
        # The double remembers everything, which is not what is measured here.
        self.front_door.jobs.clear()
        self.front_door.files.clear()
        return (job.ended_at - started) * 1_000

    async def bare(self, graph: Graph) -> float:
        """Milliseconds that the least client of ComfyUI takes for the same."""
        if self.socket is None:
            address = f"{self.url}/ws?clientId={self.client_id}"
            self.socket = await self.session.ws_connect(address, max_msg_size=0)
        started, prompt_id = time.perf_counter(), str(uuid4())
        body = {"prompt": graph, "prompt_id": prompt_id, "client_id": self.client_id}
        async with self.session.post(f"{self.url}/prompt", json=body) as reply:
            assert reply.status == 200, await reply.text()
        async for frame in self.socket:
            if frame.type is aiohttp.WSMsgType.TEXT and _is_last(frame.data, prompt_id):
                break
        async with self.session.get(f"{self.url}/history/{prompt_id}") as reply:
            await reply.read()
        return (time.perf_counter() - started) * 1_000

    async def hang_up(self) -> None:
        """No bare runs for now: a socket that nobody reads fills the memory of this process."""
        if self.socket is not None:
            await self.socket.close()
            self.socket = None


def _is_last(frame: str, prompt_id: str) -> bool:
    if not frame.startswith('{"type": "executing"'):
        return False
    data = json.loads(frame)["data"]
    return data["node"] is None and data["prompt_id"] == prompt_id


@pytest.fixture(scope="module")
async def sides(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Sides]:
    state = tmp_path_factory.mktemp("comfyui")
    async with (
        bench(state, _settings(state)) as started,
        FrontDoorDouble().serving() as front_door,
        httpx.AsyncClient(base_url=front_door.url, timeout=30) as http,
        aiohttp.ClientSession() as session,
    ):
        url = (await started.comfy.ensure(None)).url
        executor = Executor(
            FrontDoor(http, WORKER_TOKEN),
            started.comfy,
            started.transfer,
            started.redact,
            started.classes,
            watch=started.watch,
        )
        yield Sides(started, front_door, executor, url, session)


def _settings(state: Path) -> WorkerSettings:
    """The engine, or the ComfyUI that COMFYBURST_TEST_COMFYUI names."""
    installed = os.environ.get("COMFYBURST_TEST_COMFYUI")
    if not installed:
        return WorkerSettings(state=state, comfyui_start_timeout_s=60)
    return WorkerSettings(
        state=state,
        comfyui_dir=Path(installed) / "comfyui",
        comfyui_python=Path(installed) / "venv" / "bin" / "python",
        comfyui_args=("--cpu", "--disable-api-nodes"),
    )


def chain(nodes: int, color: int) -> Graph:
    """So many nodes in a row, none of which has anything to do."""
    size = {"width": 8, "height": 8, "batch_size": 1}
    graph: Graph = {"1": {"class_type": "EmptyImage", "inputs": {**size, "color": color}}}
    for number in range(2, nodes):
        inputs = {"image": [str(number - 1), 0]}
        graph[str(number)] = {"class_type": "ImageInvert", "inputs": inputs}
    inputs = {"images": [str(nodes - 1), 0], "filename_prefix": "c"}
    graph[str(nodes)] = {"class_type": "SaveImage", "inputs": inputs}
    return graph


async def interleaved(
    sides: Sides, graphs: Iterator[Graph], *, rounds: int = ROUNDS, per_round: int = PER_ROUND
) -> Pair:
    """Both in turn, round by round, after a warm-up."""

    async def timed(side: Callable[[Graph], Awaitable[float]]) -> float:
        return statistics.median([await side(next(graphs)) for _ in range(per_round)])

    ours: list[float] = []
    bares: list[float] = []
    for _ in range(rounds + 1):
        ours.append(await timed(sides.job))
        bares.append(await timed(sides.bare))
    ratios = [our / bare for our, bare in zip(ours[1:], bares[1:], strict=True)]
    return Pair(
        statistics.median(ours[1:]), statistics.median(bares[1:]), statistics.median(ratios)
    )


async def test_a_job_that_computes_nothing(
    sides: Sides, capsys: pytest.CaptureFixture[str]
) -> None:
    pair = await interleaved(sides, (image(color) for color in count(1)))
    with capsys.disabled():
        print(f"\n  {pair.line('executor, claim → end', 'bare client')}")
        added = pair.subject_ms - pair.floor_ms
        print(f"  added by the executor: {added:.1f} ms (goal ≤ {OVERHEAD_GOAL_MS:.0f} ms)")
    assert pair.ratio <= OVERHEAD_PASS


async def test_a_graph_of_400_nodes(sides: Sides, capsys: pytest.CaptureFixture[str]) -> None:
    graphs = (chain(NODES, color) for color in count(1))
    pair = await interleaved(sides, graphs, rounds=6, per_round=2)
    with capsys.disabled():
        print(f"\n  {pair.line(f'executor, {NODES} nodes', 'bare client')} (goal ≤ {NODES_GOAL})")
    assert pair.ratio <= NODES_PASS


def test_the_import(capsys: pytest.CaptureFixture[str]) -> None:
    ours: list[float] = []
    libraries: list[float] = []
    for _ in range(5):
        ours.append(import_ms("gpu_functions.executor"))
        libraries.append(import_ms(f"gpu_functions, {LIBRARIES}"))
    ratio = statistics.median(o / f for o, f in zip(ours, libraries, strict=True))
    with capsys.disabled():
        print(
            f"\n  import of the executor: {min(ours):.0f} ms of CPU (goal ≤ {IMPORT_GOAL_MS:.0f}); "
            f"of its libraries: {min(libraries):.0f} ms; ratio {ratio:.2f}"
        )
    assert ratio <= IMPORT_PASS


def import_ms(modules: str) -> float:
    """Milliseconds of CPU in a fresh interpreter."""
    program = (
        "import time; started = time.process_time(); "
        f"import {modules}; print((time.process_time() - started) * 1_000)"
    )
    return float(
        subprocess.check_output(  # noqa: S603 - our own words
            [sys.executable, "-c", program], cwd=Path(__file__).parents[2]
        )
    )


async def test_memory_is_steady(sides: Sides, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the worker and of its ComfyUI: from one hundred jobs on, a job leaves nothing behind."""
    await sides.hang_up()
    processes = [psutil.Process(), psutil.Process(sides.bench.pid)]
    colors = count(1)

    async def after(jobs: int) -> tuple[int, list[int]]:
        for _ in range(jobs):
            await sides.job(image(next(colors)))
        gc.collect()
        return len(gc.get_objects()), [process.memory_info().rss for process in processes]

    objects, resident = await after(WARM_UP_JOBS)
    more_objects, more_resident = await after(JOBS)
    per_job = (more_objects - objects) / JOBS
    grown = [(more - less) / JOBS for more, less in zip(more_resident, resident, strict=True)]
    with capsys.disabled():
        print(
            f"\n  {JOBS} jobs: {per_job:+.2f} objects a job (pass ≤ {OBJECTS_PASS}); resident "
            f"{grown[0]:+,.0f} bytes a job in the worker, {grown[1]:+,.0f} in ComfyUI "
            f"(pass ≤ {BYTES_PASS:,})"
        )
    assert per_job <= OBJECTS_PASS
    assert max(grown) <= BYTES_PASS
