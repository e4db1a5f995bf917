"""Submit and submit → wait with the stock SDK, beside the official proxy in the same run; and what
the executor adds to the engine's own time.

The proxy keeps no job through a restart and answers from memory; we commit before we answer. Both
stand before an embedded engine of their own.
"""

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from comfy_sdk import Comfy, Workflow

from tests.bench.measure import Pair, timed
from tests.running import Running, clean_environment, running

pytestmark = [pytest.mark.bench, pytest.mark.timeout(240)]

ROUNDS = 30
PER_ROUND = 5
ROUND_TRIP_PASS = 15.0
"""Times the proxy's, which keeps nothing. Some 6 here; a guard against a sleep or a poll, which would
be a hundred, not a goal."""
OVERHEAD_GOAL_MS = 30.0
START_TIMEOUT_S = 30.0


def trivial(colour: int) -> Workflow:
    """A picture of one colour: nothing to compute, and never in a cache."""
    return Workflow(
        {
            "1": {
                "class_type": "EmptyImage",
                "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": colour},
            },
            "2": {
                "class_type": "SaveImage",
                "inputs": {"images": ["1", 0], "filename_prefix": "b"},
            },
        }
    )


@contextmanager
def process(command: list[str], url: str, folder: Path) -> Generator[str]:
    """A server until the block ends; yields its URL once it answers there."""
    with (folder / "process.log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603 - a module of ours and the official proxy
            command, env=clean_environment({}), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        until = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                httpx.get(url, timeout=2)
                break
            except httpx.TransportError:
                assert server.poll() is None, (folder / "process.log").read_text()
                assert time.monotonic() < until
                time.sleep(0.1)
        yield url
    finally:
        server.terminate()
        server.wait(15)


def free_port() -> int:
    """A port nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


@contextmanager
def official_proxy(folder: Path) -> Generator[str]:
    """`comfy-api-proxy` before an engine of its own."""
    folder.mkdir()
    engine, port = free_port(), free_port()
    engine_command = [
        *(sys.executable, "-m", "comfy_images.engine", "--listen", "127.0.0.1"),
        *("--port", str(engine), "--base-directory", str(folder)),
    ]
    proxy_command = [
        str(Path(sys.executable).with_name("comfy-api-proxy")),
        *("run", "--comfyui", f"http://127.0.0.1:{engine}", "--port", str(port)),
    ]
    with (
        process(engine_command, f"http://127.0.0.1:{engine}", folder),
        process(proxy_command, f"http://127.0.0.1:{port}", folder) as url,
    ):
        yield url


def client_of(url: str, key: str | None) -> Comfy:
    """The stock SDK: it reads its base URL from the environment and nowhere else."""
    os.environ["COMFY_BASE_URL"] = url
    try:
        return Comfy(api_key=key)
    finally:
        del os.environ["COMFY_BASE_URL"]


def interleaved(ours: Comfy, theirs: Comfy) -> tuple[Pair, Pair]:
    """Submit, and submit → wait, of both in turn."""
    colours = iter(range(1, 1 << 24))

    def submit(client: Comfy) -> Any:
        return client.submit(trivial(next(colours)))

    def round_trip(client: Comfy) -> Any:
        return submit(client).wait()

    pairs: list[Pair] = []
    for work, settle in ((submit, round_trip), (round_trip, None)):
        timed(lambda: round_trip(ours), PER_ROUND)
        timed(lambda: round_trip(theirs), PER_ROUND)
        us: list[float] = []
        them: list[float] = []
        for _ in range(ROUNDS):
            for client, times in ((ours, us), (theirs, them)):
                times.append(timed(lambda: work(client), PER_ROUND))  # noqa: B023 - called here
                if settle:
                    settle(client)  # drain what was only submitted
        ratios = [u / t for u, t in zip(us, them, strict=True)]
        pairs.append(
            Pair(statistics.median(us), statistics.median(them), statistics.median(ratios))
        )
    return pairs[0], pairs[1]


def overheads_ms(stack: Running) -> list[float]:
    """Claim → end of each measured job, minus the engine's own run."""
    rows = stack.rows(
        """
        select extract(epoch from a.ended_at - a.started_at) * 1000 as whole_ms, a.timings_ms
        from app.job_attempts a where a.outcome = 'succeeded' order by a.started_at desc limit 100
        """
    )
    return [float(row["whole_ms"]) - row["timings_ms"].get("execution", 0) for row in rows]


def test_a_round_trip_beside_the_official_proxy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        running(tmp_path / "state", {"COMFYBURST_LOG_LEVEL": "warning"}) as stack,
        official_proxy(tmp_path / "proxy") as proxy_url,
        client_of(stack.url, stack.api_key) as ours,
        client_of(proxy_url, None) as theirs,
    ):
        submit, round_trip = interleaved(ours, theirs)
        overhead = statistics.median(overheads_ms(stack))
    with capsys.disabled():
        print(f"\n  {submit.line('SDK submit', 'official proxy')}")
        print(f"  {round_trip.line('SDK submit → wait', 'official proxy')}")
        print(f"  executor overhead p50: {overhead:.1f} ms (goal ≤ {OVERHEAD_GOAL_MS:.0f} ms)")
    assert round_trip.ratio <= ROUND_TRIP_PASS
