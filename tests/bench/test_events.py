"""G6: from an executor's event to the reader of its job's stream, beside the event's own POST."""

import asyncio
import statistics
import threading
import time
from dataclasses import dataclass, field

import httpx
import pytest

from app.config import Settings
from app.jobs.tokens import Tokens, WorkerGrant
from app.secret import Keyring
from tests.app.conftest import make_caller
from tests.app.front_door import Executor
from tests.bench.served import served

pytestmark = [pytest.mark.bench, pytest.mark.timeout(240)]

EVENTS = 300
PAUSE_S = 0.02
RATIO_PASS = 4.0
"""A reader is one commit, one hint and one read behind the POST; a poll would be a hundred."""


@dataclass(slots=True)
class Arrivals:
    """When each log line reached the reader, by its text."""

    at: dict[str, float] = field(default_factory=dict[str, float])
    open: threading.Event = field(default_factory=threading.Event)

    def read(self, url: str, key: str) -> None:
        """Until the stream ends."""
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.stream("GET", url, headers=headers, timeout=60) as reply:
            for line in reply.iter_lines():
                self.open.set()
                if '"message":"event ' in line:
                    self.at[line.partition('"message":"')[2].partition('"')[0]] = (
                        time.perf_counter()
                    )


def test_an_event_reaches_its_reader(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with served(settings) as url:
        caller = asyncio.run(make_caller(settings, url, "alice"))
        grant = WorkerGrant(workspaces=None, environments=["local"], slots=1)
        executor = Executor(url, Tokens(Keyring.load(settings)).worker(grant))
        executor.register()
        job = caller.submit()
        executor.claim()
        arrivals = Arrivals()
        stream = f"{url}/api/v2/jobs/{job['id']}/events"
        reader = threading.Thread(target=arrivals.read, args=(stream, caller.key), daemon=True)
        reader.start()
        assert arrivals.open.wait(10)
        sent: dict[str, float] = {}
        posts: list[float] = []
        for number in range(EVENTS):
            text = f"event {number}"
            sent[text] = time.perf_counter()
            executor.send({"type": "log", "level": "info", "message": text})
            posts.append((time.perf_counter() - sent[text]) * 1_000)
            time.sleep(PAUSE_S)
        executor.succeed()
        reader.join(10)
        executor.client.close()
        caller.http.close()
    delays = sorted((arrivals.at[text] - at) * 1_000 for text, at in sent.items())
    p50, p99 = statistics.median(delays), delays[int(len(delays) * 0.99)]
    post = statistics.median(posts)
    with capsys.disabled():
        print(
            f"\n  G6 event → reader: p50 {p50:.1f} ms (goal ≤ 10), p99 {p99:.1f} ms (goal ≤ 50); "
            f"its own POST: {post:.1f} ms; ratio {p50 / post:.2f} (pass ≤ {RATIO_PASS})"
        )
    assert p50 / post <= RATIO_PASS
