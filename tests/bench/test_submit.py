"""G1: a submit over HTTP against one INSERT of the same row through the same kind of pool."""

import asyncio

import pytest

from app.config import Settings
from app.db.postgres import open_database
from app.ids import uuid7
from app.jobs.repository.transitions import TransitionRepository
from app.jobs.tokens import Tokens, WorkerGrant
from app.secret import Keyring
from tests.app.conftest import make_caller, new_job
from tests.app.front_door import POSTER, Executor
from tests.bench.goals import Goals
from tests.bench.measure import paired
from tests.bench.served import Light, served

pytestmark = pytest.mark.bench

G1_PASS = 4.0
"""facts/reliability-and-performance.md §6, on a floor that is the INSERT of a job and its event."""


def test_a_submit_costs_few_inserts(settings: Settings, goals: Goals) -> None:
    loop = asyncio.new_event_loop()
    opened = open_database(settings.database_url, size=4)
    database = loop.run_until_complete(opened.__aenter__())
    transitions = TransitionRepository(database, 30.0)
    with served(settings) as url:
        caller = loop.run_until_complete(make_caller(settings, url, "alice"))
        grant = WorkerGrant(workspaces=None, environments=["local"], slots=1)
        executor = Executor(url, Tokens(Keyring.load(settings)).worker(grant))
        executor.register()
        executor.client.close()
        caller.http.close()
        light = Light.of(url, caller.key)

        def insert() -> None:
            job = new_job(caller.workspace_id, id=uuid7(), graph=POSTER)
            loop.run_until_complete(transitions.submit(job))

        pair = paired(lambda: light.submit(POSTER), insert)
        light.connection.close()
    loop.run_until_complete(opened.__aexit__(None, None, None))
    loop.close()
    goals.add(
        "G1",
        "submit, one caller, p50",
        f"{pair.subject_ms:.2f} ms",
        floor=f"{pair.floor_ms:.2f} ms, one INSERT of job and event",
        ratio=pair.ratio,
        wanted=f"≤ {G1_PASS}",
        met=pair.ratio <= G1_PASS,
    )
    assert pair.ratio <= G1_PASS
