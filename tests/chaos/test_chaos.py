"""Many jobs at once while everything is killed, and at random."""

import io
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
import redis
from PIL import Image

from tests.chaos.stacks import check_promises, comfyui_of, ended_job, eventually, stack_of
from tests.running import Running, clean_environment, steps

pytestmark = pytest.mark.chaos

SOAKED = 500
SEED = 1


@pytest.mark.timeout(240)
def test_fifty_jobs_survive_kills_of_everything_and_a_flush(tmp_path: Path) -> None:
    """Row 9: with fifty jobs queued and running."""
    with stack_of(tmp_path, COMFYBURST_MAX_TRIES="6") as stack:
        ids = [stack.submit(steps(3, 0.03, tag), metadata={"tag": str(tag)}) for tag in range(50)]
        time.sleep(1.0)
        stack.kill("worker")
        eventually(lambda: comfyui_of(stack))
        time.sleep(1.0)
        comfyui_of(stack).kill()
        services: dict[str, str] = json.loads((stack.state / "services.json").read_text())
        redis.Redis.from_url(services["redis_url"]).flushall()
        time.sleep(1.0)
        stack.kill("valkey")
        time.sleep(0.5)
        stack.kill("front-door")
        jobs = [ended_job(stack, job_id, 120) for job_id in ids]
        check_promises(stack, ids)
        assert {job["status"] for job in jobs} == {"succeeded"}
        for tag, job in enumerate(jobs):
            [output] = job["outputs"]
            assert colour_of(stack, output["id"]) == tag


def colour_of(stack: Running, asset_id: str) -> int:
    """The colour that a job was asked for, read back from its picture."""
    reply = httpx.get(f"{stack.api}/assets/{asset_id}/content", headers=stack.auth)
    with Image.open(io.BytesIO(reply.content)) as image:
        red, green, blue = cast(tuple[int, int, int], image.convert("RGB").getpixel((0, 0)))
    return red << 16 | green << 8 | blue


@pytest.mark.timeout(600)
def test_a_soak_with_random_faults_breaks_no_promise() -> None:
    """I1 to I5, over random jobs and random faults; ten thousand by `./dev soak --jobs 10000`."""
    soak = subprocess.run(  # noqa: S603 - our own command
        [
            *(sys.executable, "-m", "infra.cli.main", "soak"),
            "--jobs",
            str(SOAKED),
            "--seed",
            str(SEED),
        ],
        env=clean_environment({}),
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    result: dict[str, Any] = json.loads(soak.stdout.splitlines()[-1])
    sys.stdout.write(f"{json.dumps(result)}\n")
    assert result["jobs"] == SOAKED
    assert {name: result[name] for name in result["promises"] if result[name]} == {}
    assert result["surprises"] == []
    assert sum(result["faults"].values()) > 0, "nothing was hurt: nothing was proven"
    assert soak.returncode == 0
