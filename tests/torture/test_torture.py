"""A real ComfyUI under everything that a workflow can do to it, for as many jobs as one likes.

`COMFYBURST_TORTURE_JOBS=1000 ./dev test --comfyui tests/torture` takes about 20 minutes. The seed is in
the last line; COMFYBURST_TORTURE_SEED repeats a run, COMFYBURST_TORTURE_KINDS='crash,stall' has only those.
"""

import os
import random
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.conformance.samples import upload_inputs
from tests.real_comfyui import NEEDS_COMFYUI, running_comfyui
from tests.torture.cases import STALL_S, cases
from tests.torture.run import Torture

JOBS: Final = int(os.environ.get("COMFYBURST_TORTURE_JOBS", "120"))
SEED: Final = int(
    os.environ.get("COMFYBURST_TORTURE_SEED") or random.randrange(1_000_000)  # noqa: S311
)
KINDS: Final = [kind for kind in os.environ.get("COMFYBURST_TORTURE_KINDS", "").split(",") if kind]
PACKS: Final = {
    "torture": Path(__file__).with_name("nodes"),
    "probe_nodes": Path(__file__).parents[1] / "conformance" / "comfyui" / "probe_nodes",
}
SETTINGS: Final = {
    "COMFYBURST_STALL_TIMEOUT_S": str(STALL_S),
    "COMFYBURST_HEARTBEAT_S": "0.5",
    "COMFYBURST_RETRY_BACKOFF_S": "0.1",
    "COMFYBURST_MAX_QUEUED": str(JOBS + 1_000),
}

pytestmark = [*NEEDS_COMFYUI, pytest.mark.timeout(600 + 4 * JOBS)]


def test_every_job_ends_as_it_has_to_and_nothing_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    told = f"torture: {JOBS} jobs, seed {SEED}"
    with told_at_the_end(capsys, told) as summary, httpx.Client(timeout=60) as client:
        with running_comfyui(tmp_path, PACKS, SETTINGS) as stack:
            upload_inputs(stack)
            torture = Torture(stack, client)
            torture.run(cases(JOBS, SEED, KINDS))
            problems = torture.problems()
            summary.append(torture.summary(time.monotonic() - started))
        left = torture.watch.left_behind()
        torture.watch.end_all()
        if left:
            problems.append(f"processes were left: {left}")
        assert not problems, "\n".join([f"{len(problems)} problems:", *problems])


@contextmanager
def told_at_the_end(capsys: pytest.CaptureFixture[str], head: str) -> Generator[list[str]]:
    """Prints what was collected, whatever becomes of the run: whoever waits wants the seed."""
    parts: list[str] = []
    try:
        yield parts
    finally:
        with capsys.disabled():
            sys.stdout.write(f"\n{head}, {''.join(parts) or 'broken off'}\n")
