"""G3: a submit while Redis is frozen, beside the same submit while it is well."""

import asyncio
import statistics
import time
from pathlib import Path
from typing import Any, cast

import psutil
import pytest
import redis

from app.config import Settings
from app.jobs.tokens import Tokens, WorkerGrant
from app.secret import Keyring
from infra.local.valkey import running_valkey
from tests.app.conftest import make_caller
from tests.app.front_door import POSTER, Executor
from tests.bench.goals import Goals
from tests.bench.measure import timed
from tests.bench.served import Light, served
from tests.chaos.stacks import frozen

pytestmark = [pytest.mark.bench, pytest.mark.timeout(240)]

ROUNDS = 5
PER_ROUND = 150
"""Some 0.5 s: so long that whatever waits for Redis meets its own timeout meanwhile."""
SETTLE_S = 1.0
G3_GOAL = 1.5
G3_PASS = 4.0
"""A submit that waits for Redis would be a hundred."""


def test_a_frozen_redis_does_not_slow_a_submit(
    settings: Settings, tmp_path: Path, goals: Goals
) -> None:
    with running_valkey(tmp_path / "valkey") as valkey:
        with redis.Redis.from_url(valkey.url) as client:
            info = cast("dict[str, Any]", client.info("server"))
        server = psutil.Process(info["process_id"])
        settings = settings.model_copy(update={"redis_url": valkey.url})
        with served(settings) as url:
            caller = asyncio.run(make_caller(settings, url, "alice"))
            grant = WorkerGrant(workspaces=None, environments=["local"], slots=1)
            executor = Executor(url, Tokens(Keyring.load(settings)).worker(grant))
            executor.register()
            executor.client.close()
            caller.http.close()
            light = Light.of(url, caller.key)
            timed(lambda: light.submit(POSTER), PER_ROUND)
            well: list[float] = []
            ill: list[float] = []
            for _ in range(ROUNDS):
                well.append(timed(lambda: light.submit(POSTER), PER_ROUND))
                with frozen([server]):
                    ill.append(timed(lambda: light.submit(POSTER), PER_ROUND))
                time.sleep(SETTLE_S)
            light.connection.close()
    ratio = statistics.median(i / w for i, w in zip(ill, well, strict=True))
    goals.add(
        "G3",
        "submit while Redis is frozen, p50",
        f"{statistics.median(ill):.2f} ms",
        floor=f"{statistics.median(well):.2f} ms, Redis well",
        ratio=ratio,
        wanted=f"≤ {G3_GOAL}",
        met=ratio <= G3_GOAL,
    )
    assert ratio <= G3_PASS
